"""The numbers that a picture has: by hand for drawn ones."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from components.common.tasks.image.making import open_maker
from components.common.tasks.image.preparation.spec import PictureSpec
from components.common.tasks.image.sources import VALUES
from components.common.tasks.image.traits import EDGES, read_traits

SPEC = PictureSpec(64, 3, "stretch", "#ffffff", "png", jpeg_quality=90, max_pixels=10**6)


def traits(picture: Image.Image, **save) -> dict[str, float]:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **save)
    made = open_maker(SPEC, with_statistics=False).make(
        buffer.getvalue(), id="0" * 64, label=0, slice=""
    )
    sketches = np.frombuffer(made.sketch, np.uint8)[None]
    return {name: values.item() for name, values in read_traits(sketches).items()}


def test_a_picture_has_a_size_a_brightness_and_a_contrast():
    picture = Image.new("RGB", (300, 100), "#404040")
    picture.paste("#c0c0c0", (0, 0, 150, 100))
    found = traits(picture)
    assert set(found) == {*EDGES, "extent", *VALUES}
    assert (found["width"], found["height"], found["aspect"]) == (300, 100, 3)
    assert found["brightness"] == pytest.approx(128, abs=1)
    assert found["contrast"] == pytest.approx(64, abs=2)
    assert (found["range"], found["extent"]) == (128, 128)


def test_the_extent_is_that_of_one_channel_s_pixels_and_the_range_that_of_fields():
    picture = Image.new("RGB", (64, 64), (10, 200, 100))
    picture.putpixel((20, 20), (40, 200, 190))
    picture.putpixel((40, 40), (10, 205, 100))
    found = traits(picture)
    assert found["extent"] == 90
    assert found["range"] < 60


def test_a_picture_on_its_side_has_the_size_that_it_is_seen_in():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    found = traits(Image.new("RGB", (30, 10)), exif=exif)
    assert (found["width"], found["height"]) == (10, 30)


def test_colours_of_the_same_luminance_have_a_range():
    picture = Image.new("RGB", (64, 64), "#ff0000")
    picture.paste("#0000ff", (0, 0, 32, 64))
    assert traits(picture)["range"] == 255
    assert traits(Image.new("RGB", (64, 64), "#ff0000"))["range"] == 0
