"""One file per reason, and what is said when there are too many."""

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image

from tests.builders.synthetic import draw_picture
from tests.components.preprocess.folders import (
    encode,
    last_result,
    preprocess,
    rejects,
    shape_png,
    write_folder,
)

EXPECTED = [
    ("bar/bomb.png", "oversized"),
    ("bar/both.png", "conflicting_label"),
    ("bar/broken_link.png", "missing"),
    ("bar/copy_of_000.png", "duplicate"),
    ("bar/cut.jpg", "truncated"),
    ("bar/empty.png", "empty"),
    ("bar/film.jp2", "unsupported_format"),
    ("bar/notes.txt", "not_an_image"),
    ("bar/scrambled.png", "unreadable"),
    ("disc/both.png", "conflicting_label"),
    ("stray.png", "unlabelled"),
]


def write_rejects(folder: Path) -> Path:
    """Writes good pictures, and one file for each reason why a file is rejected."""
    write_folder(folder)
    bar = folder / "bar"
    shutil.copy(bar / "000.png", bar / "copy_of_000.png")
    (bar / "both.png").write_bytes(shape_png(0, 500))
    shutil.copy(bar / "both.png", folder / "disc" / "both.png")
    os.symlink("nowhere.png", bar / "broken_link.png")
    photograph = encode(draw_picture(1, 1, size=64, channels=3), "JPEG")
    (bar / "cut.jpg").write_bytes(photograph[: len(photograph) // 2])
    (bar / "empty.png").touch()
    (bar / "film.jp2").write_bytes(encode(Image.new("L", (16, 16)), "JPEG2000"))
    (bar / "notes.txt").write_text("BMW, a car, is no bitmap")
    (bar / "bomb.png").write_bytes(encode(Image.new("L", (400, 400))))
    scrambled = bytearray(shape_png(0, 502))
    scrambled[45:60] = bytes(15)
    (bar / "scrambled.png").write_bytes(scrambled)
    (folder / "stray.png").write_bytes(shape_png(2, 503))
    return folder


def test_every_reason_is_told(tmp_path):
    source = write_rejects(tmp_path / "source")
    manifest = preprocess(tmp_path, folder=str(source), max_pixels=50_000, max_reject_share=0.5)
    assert rejects(tmp_path / "dataset") == EXPECTED
    assert manifest.rejects == {
        reason: [found for _, found in EXPECTED].count(reason) for _, reason in EXPECTED
    }
    assert manifest.records == 24 + len(EXPECTED)
    assert sum(split.examples for split in manifest.splits.values()) == 24


def test_a_list_tells_of_files_that_are_not_there(tmp_path):
    write_folder(tmp_path, per_class=4)
    rows = [f"{name}/{n:03d}.png,{name}\n" for name in ("bar", "disc") for n in range(5)]
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(rows))
    preprocess(tmp_path, list=str(tmp_path / "list.csv"), max_reject_share=0.3)
    assert rejects(tmp_path / "dataset") == [
        ("bar/004.png", "missing"),
        ("disc/004.png", "missing"),
    ]


def test_a_picture_is_read_by_what_it_holds_and_its_name_is_noted(tmp_path):
    source = write_folder(tmp_path / "source", per_class=4)
    (source / "bar" / "000.png").rename(source / "bar" / "000.jpg")
    (source / "disc" / "000.png").rename(source / "disc" / "picture")
    manifest = preprocess(tmp_path, folder=str(source))
    assert manifest.rejects == {} and manifest.notes == {"wrong_extension": 1}
    assert sum(split.examples for split in manifest.splits.values()) == 12
    (line,) = (tmp_path / "dataset" / "notes.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "path": "bar/000.jpg",
        "note": "wrong_extension",
        "detail": "is PNG, named like JPEG",
    }


def write_odd_files(folder: Path) -> None:
    """Writes what has a picture's name and is no file, or claims 20 GB."""
    os.mkfifo(folder / "pipe")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.path.relpath(folder / "socket"))
    (folder / "folder.png").mkdir()
    for name, target in (("pipe", "pipe"), ("device", "/dev/zero"), ("socket", "socket")):
        (folder / "bar" / f"{name}.png").symlink_to(
            Path("..", target) if name == target else target
        )
    with (folder / "bar" / "sparse.png").open("wb") as file:
        file.write(shape_png(0, 9))
        file.truncate(20 << 30)


@pytest.mark.timeout(60)
def test_pipes_devices_and_endless_files_hold_nobody_up(tmp_path, monkeypatch):
    source = write_folder(tmp_path, per_class=4)
    monkeypatch.chdir(source)
    write_odd_files(source)
    names = [path.relative_to(source).as_posix() for path in sorted(source.glob("*/*.png"))]
    rows = [f"{name},{name.split('/')[0]}\n" for name in [*names]]
    rows += [f"{name},bar\n" for name in ("pipe", "folder.png", "/dev/zero")]
    (source / "list.csv").write_text("path,label\n" + "".join(rows))
    preprocess(tmp_path, list=str(source / "list.csv"), max_reject_share=0.5)
    lines = map(json.loads, (tmp_path / "dataset" / "rejects.jsonl").read_text().splitlines())
    found = {Path(line["path"]).as_posix(): (line["reason"], line["detail"]) for line in lines}
    assert found.pop("bar/sparse.png") == (
        "oversized",
        "has 21474836480 bytes, where 416777216 are the most that are read",
    )
    zero = next(name for name in found if name.endswith("dev/zero"))
    assert found.pop(zero) == ("unreadable", "is a device, not a file")
    assert found == {
        "bar/device.png": ("unreadable", "is a device, not a file"),
        "bar/pipe.png": ("unreadable", "is a named pipe, not a file"),
        "bar/socket.png": ("unreadable", "is a socket, not a file"),
        "folder.png": ("unreadable", "is a folder, not a file"),
        "pipe": ("unreadable", "is a named pipe, not a file"),
    }


def test_copies_and_litter_do_no_harm(tmp_path):
    source = write_folder(tmp_path / "source")
    for index in range(6):
        shutil.copy(source / "bar" / f"{index:03d}.png", source / "bar" / f"copy{index}.png")
        (source / "disc" / f"._{index:03d}.png").touch()
    (source / "disc" / "raw").mkdir()
    manifest = preprocess(tmp_path, folder=str(source), max_reject_share=0, exclude=("raw", "x*"))
    assert manifest.rejects == {"duplicate": 6} and manifest.records == 24 + 6
    assert manifest.passed_over == {"exclude raw": 1, "exclude x*": 0, "hidden": 6}
    assert sum(split.examples for split in manifest.splits.values()) == 24


def test_a_copy_of_what_is_broken_is_broken(tmp_path):
    source = write_folder(tmp_path / "source")
    photograph = encode(draw_picture(1, 1, size=64, channels=3), "JPEG")
    for index in range(4):
        (source / "bar" / f"cut{index}.jpg").write_bytes(photograph[: len(photograph) // 2])
    manifest = preprocess(tmp_path, folder=str(source), max_reject_share=4 / 28)
    assert manifest.rejects == {"truncated": 4}
    with pytest.raises(SystemExit):
        preprocess(tmp_path, folder=str(source), max_reject_share=0.1)
    assert "4 of 28 records are rejected (4 truncated)" in last_result(tmp_path).message


@pytest.mark.parametrize("share", [0.05, 0.28])
def test_too_many_stop_the_run_with_counts_examples_and_the_file(tmp_path, share):
    source = write_rejects(tmp_path / "source")
    with pytest.raises(SystemExit) as caught:
        preprocess(tmp_path, folder=str(source), max_pixels=50_000, max_reject_share=share)
    assert caught.value.code == 2
    message = last_result(tmp_path).message
    assert "of 34 records are rejected (" in message
    assert "2 conflicting_label" in message
    assert f"data.max_reject_share allows {100 * share:.1f} %" in message
    assert "bar/both.png: conflicting_label (the same content is labelled bar and disc)" in message
    listed = (tmp_path / "data" / "runs" / "test" / "rejects.jsonl").read_text().splitlines()
    assert message.endswith("runs/test/rejects.jsonl")
    assert ("bar/empty.png", "empty") in [
        (line["path"], line["reason"]) for line in map(json.loads, listed)
    ]
    assert not (tmp_path / "dataset").exists()
