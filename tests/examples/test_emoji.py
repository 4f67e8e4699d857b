"""The emoji example: which emoji are listed, and which belong together."""

import json
from pathlib import Path

import pytest

from tests.examples.emoji import FOLDS, group_of, list_emoji, split_of, unite_equal_pictures


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1F468-200D-2695-FE0F", "1F469-200D-2695-FE0F"),  # Man, woman: health worker.
        ("1F3C3-200D-2642-FE0F", "1F3C3"),  # Man running, person running.
        ("1F466", "1F9D2"),  # Boy, child.
        ("270B-1F3FD", "270B"),  # A hand of a skin tone.
    ],
)
def test_variants_of_a_person_are_in_one_group(one, other):
    assert group_of(one) == group_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1F436", "1F431"), ("1F9D1-200D-2695", "1F9D1-200D-2696"), ("0031-FE0F", "0032-FE0F")],
)
def test_different_emoji_are_in_different_groups(one, other):
    assert group_of(one) != group_of(other)


def test_the_list_holds_what_has_a_category_and_a_picture(tmp_path: Path):
    def emoji(code: str, category: str, picture: bool = True) -> dict[str, object]:
        return {
            "unified": code,
            "image": f"{code.lower()}.png",
            "category": category,
            "has_img_google": picture,
        }

    rows = [
        emoji("1F436", "Animals & Nature"),
        emoji("1F3FB", "Component"),
        emoji("1F431", "Animals & Nature", picture=False),
    ]
    (tmp_path / "emoji.json").write_text(json.dumps(rows), encoding="utf-8")
    assert list(list_emoji(tmp_path)) == [
        {
            "path": str(tmp_path / "img" / "google" / "64" / "1f436.png"),
            "label": "Animals & Nature",
            "group": "1F436",
        }
    ]


def test_groups_that_have_a_picture_in_common_are_one(tmp_path: Path):
    def row(name: str, content: bytes, group: str) -> dict[str, str]:
        path = tmp_path / name
        path.write_bytes(content)
        return {"path": str(path), "group": group}

    rows = [
        row("a1", b"flag", "A"),
        row("b1", b"other", "B"),
        row("b2", b"family", "B"),
        row("c1", b"family", "C"),
        row("c2", b"flag", "C"),
        row("d1", b"alone", "D"),
    ]
    groups = [united["group"] for united in unite_equal_pictures(rows)]
    assert len(set(groups[:5])) == 1
    assert groups[5] == "D"


def test_each_group_is_tested_on_in_one_fold_and_validates_in_some_others():
    shares = {"train": 0, "validation": 0, "test": 0}
    for number in range(600):
        splits = [split_of(f"group {number}", fold) for fold in range(FOLDS)]
        assert splits.count("test") == 1
        for split in splits:
            shares[split] += 1
    assert 0 < shares["validation"] < shares["test"] < shares["train"]
