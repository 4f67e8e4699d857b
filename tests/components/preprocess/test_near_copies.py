"""Examples that are nearly the same, found wherever they stand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.documents.near_copies import NearCopies
from components.common.documents.rejects import read_rejects
from components.preprocess import near_copies
from tests.components.preprocess.folders import preprocess, write_folder


def save_anew(path: Path, copy: Path) -> str:
    """Saves a picture smaller, as a JPEG file; returns its name below the source."""
    with Image.open(path) as picture:
        picture.resize((48, 48)).save(copy, "JPEG", quality=80)
    return copy.relative_to(copy.parent.parent).as_posix()


def write_list(source: Path, splits: dict[str, str]) -> str:
    """Lists a folder's pictures; those whose split is not stated are for training."""
    rows = [
        f"{name},{path.parent.name},{splits.get(name, 'train')}\n"
        for path in sorted(source.glob("*/*"))
        for name in [path.relative_to(source).as_posix()]
    ]
    (source / "list.csv").write_text("path,label,split\n" + "".join(rows))
    return str(source / "list.csv")


@pytest.fixture
def source(tmp_path) -> Path:
    """Pictures of a size at which a copy's noise does not decide."""
    return write_folder(tmp_path / "source", per_class=6, size=64)


HELD = {f"{name}/{n:03d}.png": split
        for name in ("bar", "cross", "disc")
        for n, split in enumerate(("validation", "test"))}  # fmt: skip


def find(tmp_path: Path, source: Path, splits: dict[str, str], **values) -> NearCopies:
    listed = write_list(source, {**HELD, **splits})
    preprocess(tmp_path, list=listed, image_size=32, **values)
    return NearCopies.read(tmp_path / "dataset")


def test_pictures_saved_anew_are_found_across_splits_and_across_labels(tmp_path, source):
    save_anew(source / "bar" / "005.png", source / "bar" / "copy.jpg")
    save_anew(source / "bar" / "004.png", source / "disc" / "wrong.jpg")
    save_anew(source / "disc" / "004.png", source / "disc" / "same.jpg")
    found = find(tmp_path, source, {"bar/copy.jpg": "test"})
    assert (found.in_two_splits, found.with_two_labels) == (1, 1)
    parted, contradicting = found.pairs
    assert (parted.one.path, parted.one.split) == ("bar/005.png", "train")
    assert (parted.other.path, parted.other.split) == ("bar/copy.jpg", "test")
    assert {contradicting.one.path, contradicting.other.path} == {"bar/004.png", "disc/wrong.jpg"}
    assert contradicting.one.split == contradicting.other.split == "train"
    assert parted.other.shard.startswith("shards/") and "/test-00000" in parted.other.shard
    assert not read_rejects(tmp_path / "dataset")


def test_equal_pixels_are_told_as_such_alone(tmp_path, source):
    with Image.open(source / "bar" / "004.png") as picture:
        picture.save(source / "disc" / "twin.bmp")
    found = find(tmp_path, source, {})
    assert found.pairs == ()


def test_what_is_found_does_not_depend_on_what_was_there_before(tmp_path, source):
    save_anew(source / "bar" / "005.png", source / "bar" / "copy.jpg")
    late = (source / "bar" / "005.png").read_bytes()
    (source / "bar" / "005.png").unlink()
    assert find(tmp_path, source, {"bar/copy.jpg": "test"}).pairs == ()
    (source / "bar" / "005.png").write_bytes(late)
    grown = find(tmp_path, source, {"bar/copy.jpg": "test"})
    assert grown.in_two_splits == 1
    assert find(tmp_path / "fresh", source, {"bar/copy.jpg": "test"}) == grown


def test_no_more_pairs_are_told_than_have_room(tmp_path, source, monkeypatch):
    monkeypatch.setattr(near_copies, "_TOLD", 1)
    for number in range(3):
        save_anew(source / "bar" / f"00{number + 3}.png", source / "bar" / f"c{number}.jpg")
    save_anew(source / "bar" / "002.png", source / "disc" / "wrong.jpg")
    found = find(tmp_path, source, {f"bar/c{number}.jpg": "test" for number in range(3)})
    assert (found.in_two_splits, found.with_two_labels) == (3, 1)
    assert len(found.pairs) == 2


def test_texts_that_differ_in_a_word_are_found(tmp_path):
    words = "the quick brown fox jumps over a lazy dog and runs home again to sleep".split()
    chance = np.random.default_rng(1)
    rows = [
        {"text": " ".join(chance.permutation(words)), "label": "ab"[n % 2], "split": split}
        for n in range(12)
        for split in ("train", "validation", "test")
    ]
    rows.append({"text": f"{rows[0]['text']} soon", "label": "b", "split": "test"})
    (tmp_path / "texts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    preprocess(tmp_path, text={}, list=str(tmp_path / "texts.jsonl"))
    (pair,) = NearCopies.read(tmp_path / "dataset").pairs
    assert (pair.one.path, pair.other.path) == ("texts.jsonl, line 1", "texts.jsonl, line 37")
