"""Examples that are unlike most, found among many that are not."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.documents.oddities import Oddities
from components.preprocess import oddities
from tests.components.preprocess.folders import preprocess, write_folder


def faint(contrast: int) -> Image.Image:
    """Draws a square that is darker than its ground by so much."""
    picture = Image.new("L", (48, 48), 100)
    picture.paste(100 - contrast, (12, 12, 36, 36))
    return picture


def thin_lined() -> Image.Image:
    """Draws lines of a pixel, which differ little from their ground where fields are averaged."""
    pixels = np.full((96, 96), 120, np.uint8)
    pixels[::12] = 0
    return Image.fromarray(pixels)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = write_folder(tmp_path / "source", per_class=10, size=48)
    faint(12).save(folder / "bar" / "blank.png")
    faint(16).save(folder / "disc" / "blank.png")
    faint(60).save(folder / "bar" / "dull.png")
    thin_lined().save(folder / "bar" / "thin.png")
    Image.new("L", (48, 48), 250).save(folder / "bar" / "white.png")
    with Image.open(folder / "disc" / "001.png") as picture:
        picture.resize((400, 400)).save(folder / "disc" / "huge.png")
        picture.resize((48, 12)).save(folder / "disc" / "flat.png")
    return folder


def test_pictures_that_show_little_and_those_of_other_sizes_are_named(tmp_path, source):
    preprocess(tmp_path, folder=str(source), image_size=96)
    found = Oddities.read(tmp_path / "dataset").kinds
    told = {
        kind: [(odd.placed.path, odd.detail) for odd in oddity.shown]
        for kind, oddity in found.items()
    }
    assert told == {
        "nearly_blank": [("bar/blank.png", "range 12"), ("disc/blank.png", "range 16")],
        "small_range": [("bar/dull.png", "range 60")],
        "odd_brightness": [("bar/white.png", "mean 250")],
        "odd_size": [("disc/huge.png", "400x400")],
        "odd_aspect": [("disc/flat.png", "48x12")],
    }


def test_no_more_are_told_than_have_room_and_all_are_counted(tmp_path, source, monkeypatch):
    monkeypatch.setattr(oddities, "_TOLD", 1)
    preprocess(tmp_path, folder=str(source), image_size=96)
    blank = Oddities.read(tmp_path / "dataset").kinds["nearly_blank"]
    assert (blank.examples, len(blank.shown)) == (2, 1)
    assert blank.named() == "bar/blank.png (range 12) and 1 more"


def test_texts_of_another_length_or_another_script_are_named(tmp_path):
    words = np.random.default_rng(1).choice("one two three four five six".split(), (60, 9))
    rows = [[" ".join([*own, str(n)]), "ab"[n % 2]] for n, own in enumerate(words)]
    rows += [["no", "a"], ["\U0001f642 " * 20, "b"]]
    with (tmp_path / "texts.csv").open("w") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    preprocess(tmp_path, text={}, list=str(tmp_path / "texts.csv"))
    found = Oddities.read(tmp_path / "dataset").kinds
    (short,) = found["odd_length"].shown
    assert (short.placed.path, short.detail) == ("texts.csv, line 62", "2 characters")
    (unknown,) = found["mostly_unknown"].shown
    assert (unknown.placed.path, unknown.detail) == ("texts.csv, line 63", "100 % of its tokens")
