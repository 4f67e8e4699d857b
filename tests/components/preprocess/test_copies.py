"""Pictures that are the same once they are decoded, wherever they stand."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.data.membership import Membership
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.storage import LocalStorage
from components.common.tasks.reading import read_examples
from tests.components.preprocess.folders import (
    encode,
    files,
    last_result,
    preprocess,
    write_folder,
)


def pictures_of(work: Path, manifest: DatasetManifest) -> dict[bytes, list[tuple[str, str]]]:
    """Returns split and id of every example, by its encoded picture."""
    storage, found = LocalStorage(str(work / "data")), defaultdict(list)
    for split in SPLITS:
        for example in read_examples(manifest, split, storage):
            found[example.image].append((split, example.id))
    return found


def write_twins(folder: Path, *, per_class: int = 12) -> Path:
    """Writes each picture twice, as a PNG file and as a BMP file."""
    write_folder(folder, per_class=per_class)
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".bmp"))
    return folder


def test_the_same_pixels_never_stand_in_two_splits(tmp_path):
    source = write_twins(tmp_path / "source")
    manifest = preprocess(tmp_path, folder=str(source), max_reject_share=1)
    pictures = pictures_of(tmp_path, manifest)
    assert len(pictures) == 36
    assert all(len({split for split, _ in same}) == 1 for same in pictures.values())
    kept = {id_ for same in pictures.values() for _, id_ in same}
    assert manifest.rejects == {"duplicate": 72 - len(kept)} and 36 < len(kept) < 72
    seen = Membership.read(tmp_path / "dataset")
    assert len(seen.ids) == len(kept)


def test_the_split_that_is_measured_on_keeps_its_picture(tmp_path):
    source = write_twins(tmp_path / "source", per_class=2)
    rows = [f"{name}/000.png,{name},test\n{name}/000.bmp,{name},train\n"
            f"{name}/001.bmp,{name},validation\n{name}/001.png,{name},train\n"
            for name in ("bar", "cross", "disc")]  # fmt: skip
    write_folder(source / "more", per_class=4)
    rows += [f"more/{name}/00{n}.png,{name},train\n" for name in ("bar", "disc") for n in (2, 3)]
    (source / "list.csv").write_text("path,label,split\n" + "".join(rows))
    manifest = preprocess(tmp_path, list=str(source / "list.csv"), max_reject_share=1)
    assert {split: found.examples for split, found in manifest.splits.items()} == {
        "train": 4,
        "validation": 3,
        "test": 3,
    }
    lines = (tmp_path / "dataset" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {
        "path": "bar/000.bmp",
        "reason": "duplicate",
        "detail": "same pixels as bar/000.png, in the test split",
    }


@pytest.mark.slow
def test_what_is_left_out_does_not_depend_on_what_was_there_before(tmp_path):
    source = write_twins(tmp_path / "source")
    late = [path for path in sorted(source.rglob("*.bmp")) if path.stem.endswith("3")]
    contents = {path: path.read_bytes() for path in late}
    for path in late:
        path.unlink()
    preprocess(tmp_path, folder=str(source), max_reject_share=1)
    for path, content in contents.items():
        path.write_bytes(content)
    grown = preprocess(tmp_path, folder=str(source), max_reject_share=1)
    assert last_result(tmp_path).record.measurements["shards_kept"] > 0
    fresh = preprocess(tmp_path / "fresh", folder=str(source), max_reject_share=1)
    assert last_result(tmp_path / "fresh").record.measurements["shards_kept"] == 0
    assert grown == fresh
    assert files(tmp_path / "dataset") == files(tmp_path / "fresh" / "dataset")
    for split in SPLITS:
        for shard in grown.splits[split].shards:
            elsewhere = tmp_path / "fresh" / "data" / shard.path
            assert (tmp_path / "data" / shard.path).read_bytes() == elsewhere.read_bytes()


def notes_of(work: Path) -> dict[str, tuple[str, str]]:
    lines = map(json.loads, (work / "dataset" / "notes.jsonl").read_text().splitlines())
    return {line["path"]: (line["note"], line["detail"]) for line in lines}


def test_white_on_transparent_over_white_is_noted_as_one_colour_with_two_labels(tmp_path):
    source = write_folder(tmp_path / "source", per_class=4)
    for name, column in (("bar", 2), ("disc", 9)):
        glyph = np.zeros((16, 16, 4), np.uint8)
        glyph[:, column : column + 4] = 255
        (source / name / "glyph.png").write_bytes(encode(glyph))
    rows = [f"{path.relative_to(source).as_posix()},{path.parent.name},"
            f"{'train' if path.stem == 'glyph' else ''}\n"
            for path in sorted(source.rglob("*.png"))]  # fmt: skip
    (source / "list.csv").write_text("path,label,split\n" + "".join(rows))
    manifest = preprocess(tmp_path, list=str(source / "list.csv"))
    assert manifest.notes == {"one_colour": 2, "same_pixels": 2}
    assert notes_of(tmp_path) == {
        "bar/glyph.png": ("same_pixels", "same pixels as disc/glyph.png, which is labelled disc"),
        "disc/glyph.png": ("same_pixels", "same pixels as bar/glyph.png, which is labelled bar"),
    }
    other = preprocess(tmp_path, "other", list=str(source / "list.csv"), background="#000000")
    assert other.notes == {}


def test_a_crop_that_misses_the_object_is_noted_and_the_shape_is_counted(tmp_path):
    source = write_folder(tmp_path / "source", per_class=4)
    wide = np.full((16, 64), 255, np.uint8)
    wide[:, :8] = 0
    (source / "bar" / "wide.png").write_bytes(encode(wide))
    manifest = preprocess(tmp_path, folder=str(source))
    assert notes_of(tmp_path) == {
        "bar/wide.png": ("one_colour", "is #ffffff all over once it is fitted")
    }
    assert manifest.statistics.not_square == 1
    assert preprocess(tmp_path, "padded", folder=str(source), fit="pad").notes == {}


def test_what_decoding_shows_of_a_file_is_noted(tmp_path):
    source = write_folder(tmp_path / "source", per_class=4)
    with Image.open(source / "bar" / "000.png") as picture:
        data = encode(picture, "JPEG")
    (source / "bar" / "cut.jpg").write_bytes(data[:-2])
    assert preprocess(tmp_path, folder=str(source)).notes == {"missing_end": 1}
    assert notes_of(tmp_path) == {
        "bar/cut.jpg": ("missing_end", "the JPEG file lacks its end marker")
    }
