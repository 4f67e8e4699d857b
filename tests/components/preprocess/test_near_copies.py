"""Examples that are nearly the same, found wherever they stand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.data.membership import Membership
from components.common.documents.dataset import DatasetManifest
from components.common.documents.near_copies import NearCopies
from components.common.documents.rejects import Reject, read_rejects
from components.common.storage import LocalStorage
from components.common.tasks.reading import read_examples
from components.preprocess import near_copies
from tests.components.preprocess.folders import files, preprocess, write_folder


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
    found = find(tmp_path, source, {"bar/copy.jpg": "test"}, near_copies="keep")
    assert (found.in_two_splits, found.with_two_labels, found.left_out) == (1, 1, 0)
    parted, contradicting = found.pairs
    assert (parted.one.path, parted.one.split) == ("bar/005.png", "train")
    assert (parted.other.path, parted.other.split) == ("bar/copy.jpg", "test")
    assert {contradicting.one.path, contradicting.other.path} == {"bar/004.png", "disc/wrong.jpg"}
    assert contradicting.one.split == contradicting.other.split == "train"
    assert parted.other.shard.startswith("shards/") and "/test-00000" in parted.other.shard
    assert not read_rejects(tmp_path / "dataset")


def test_the_later_of_two_splits_goes_without_what_is_nearly_the_same(tmp_path, source):
    save_anew(source / "bar" / "005.png", source / "bar" / "copy.jpg")
    save_anew(source / "disc" / "000.png", source / "disc" / "held.jpg")
    found = find(tmp_path, source, {"bar/copy.jpg": "test", "disc/held.jpg": "test"})
    assert (found.in_two_splits, found.left_out) == (2, 2)
    assert read_rejects(tmp_path / "dataset") == (
        Reject("bar/copy.jpg", "near_copy", "nearly the same as bar/005.png, in the train split"),
        Reject(
            "disc/held.jpg", "near_copy", "nearly the same as disc/000.png, in the validation split"
        ),
    )
    manifest = DatasetManifest.read(tmp_path / "dataset")
    assert {split: own.examples for split, own in manifest.splits.items()} == {
        "train": 12,
        "validation": 3,
        "test": 3,
    }
    ids = {pair.other.id for pair in found.pairs}
    storage = LocalStorage(str(tmp_path / "data"))
    test, shown = (
        {example.id for example in read_examples(each, "test", storage)}
        for each in (manifest, found.beside(manifest))
    )
    assert not ids & test and ids <= shown
    (beside,) = found.shards["test"]
    (tmp_path / "data" / beside.path).unlink()
    find(tmp_path, source, {"bar/copy.jpg": "test", "disc/held.jpg": "test"})
    assert (tmp_path / "data" / beside.path).is_file()
    assert len(Membership.read(tmp_path / "dataset").ids) == 18


def test_what_is_left_out_as_a_copy_leaves_nothing_out(tmp_path, source):
    with Image.open(source / "bar" / "005.png") as picture:
        picture.save(source / "bar" / "twin.bmp")
    save_anew(source / "bar" / "005.png", source / "bar" / "copy.jpg")
    found = find(tmp_path, source, {"bar/twin.bmp": "test", "bar/copy.jpg": "test"})
    assert (found.in_two_splits, found.left_out) == (0, 0)
    (reject,) = read_rejects(tmp_path / "dataset")
    assert (reject.path, reject.reason) == ("bar/005.png", "duplicate")


def test_what_is_left_out_itself_leaves_nothing_out(tmp_path, source):
    with Image.open(source / "bar" / "005.png") as picture:
        pixels = np.asarray(picture)
    for name, lighter in (("b", 0), ("c", 8), ("d", 16)):
        lit = np.where(pixels > 128, 200, 20).astype(np.uint8) + np.uint8(lighter)
        Image.fromarray(lit).save(source / "bar" / f"{name}.png")
    found = find(tmp_path, source, {"bar/c.png": "validation", "bar/d.png": "test"})
    assert [(pair.one.path, pair.other.path) for pair in found.pairs] == [
        ("bar/b.png", "bar/c.png")
    ]
    assert found.left_out == 1


def test_near_copies_do_not_count_as_unusable(tmp_path, source):
    for number in range(2, 6):
        save_anew(source / "bar" / f"00{number}.png", source / "bar" / f"copy{number}.jpg")
    splits = {f"bar/copy{number}.jpg": "test" for number in range(2, 6)}
    assert find(tmp_path, source, splits, max_reject_share=0).left_out == 4


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
    assert grown.in_two_splits == grown.left_out == 1
    assert find(tmp_path / "fresh", source, {"bar/copy.jpg": "test"}) == grown
    assert files(tmp_path / "dataset") == files(tmp_path / "fresh" / "dataset")
    made, elsewhere = (
        files(folder / "data" / "shards") for folder in (tmp_path, tmp_path / "fresh")
    )
    assert all(made[name] == content for name, content in elsewhere.items())


def test_no_more_pairs_are_told_than_have_room(tmp_path, source, monkeypatch):
    monkeypatch.setattr(near_copies, "_TOLD", 1)
    for number in range(3):
        save_anew(source / "bar" / f"00{number + 3}.png", source / "bar" / f"c{number}.jpg")
    save_anew(source / "bar" / "002.png", source / "disc" / "wrong.jpg")
    found = find(tmp_path, source, {f"bar/c{number}.jpg": "test" for number in range(3)})
    assert (found.in_two_splits, found.with_two_labels, found.left_out) == (3, 1, 3)
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
    found = NearCopies.read(tmp_path / "dataset")
    (pair,) = found.pairs
    assert (pair.one.path, pair.other.path) == ("texts.jsonl, line 1", "texts.jsonl, line 37")
    assert found.left_out == 0
    preprocess(tmp_path, text={}, list=str(tmp_path / "texts.jsonl"), near_copies="leave_out")
    assert NearCopies.read(tmp_path / "dataset").left_out == 1
