"""Which pictures are nearly the same: those saved anew are, those of the same shape are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from components.common.tasks.image import likeness
from components.common.tasks.image.sketches import sketch_picture
from components.common.tasks.image.statistics import count_intensities
from components.common.tasks.sketched import count_bits
from tests.builders.synthetic import draw_picture

SIZE = 64


def picture(label: int, seed: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(draw_picture(label, seed, size=SIZE, channels=channels).squeeze())


def sketches(*pictures: Image.Image) -> np.ndarray:
    made = [
        sketch_picture(each, count_intensities(each), each.size, kind="PNG", mode=each.mode)
        for each in pictures
    ]
    return np.array([list(sketch) for sketch in made], np.uint8)


def saved_anew(found: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    found.resize((90, 90)).save(buffer, "JPEG", quality=60)
    return Image.open(buffer).resize((SIZE, SIZE)).convert(found.mode)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_saved_anew_is_nearly_the_same_as_before(channels):
    before = [picture(label, seed, channels) for label in range(3) for seed in range(8)]
    one, other = sketches(*before), sketches(*map(saved_anew, before))
    assert likeness.are_alike(one, other).all()
    keys, other_keys = likeness.keys(one), likeness.keys(other)
    assert likeness.may_be_alike(keys, other_keys).all()
    assert not likeness.may_be_alike(keys[:8], keys[8:16]).any()
    assert not likeness.are_alike(one[:8], one[8:16]).any()


def test_the_same_outline_in_another_colour_is_another_picture():
    red, blue = (Image.new("RGB", (SIZE, SIZE), "white") for _ in range(2))
    red.paste("#d00000", (20, 10, 40, 50))
    blue.paste("#0000d0", (20, 10, 40, 50))
    one, other = sketches(red), sketches(blue)
    assert likeness.may_be_alike(likeness.keys(one), likeness.keys(other)).all()
    assert not likeness.are_alike(one, other).any()


def test_another_detail_is_another_picture():
    faces = []
    for eye in (24, 32):
        face = Image.new("RGB", (SIZE, SIZE), "white")
        ImageDraw.Draw(face).ellipse((4, 10, 60, 58), fill="black")
        face.paste("#505050", (eye, 24, eye + 4, 28))
        faces.append(face)
    one, other = sketches(faces[0]), sketches(faces[1])
    assert likeness.may_be_alike(likeness.keys(one), likeness.keys(other)).all()
    assert not likeness.are_alike(one, other).any()


def test_a_picture_that_is_its_own_mirror_image_keeps_its_hash_when_it_is_saved_anew():
    for width in range(20, 60, 4):
        ring = Image.new("L", (SIZE, SIZE), "white")
        edge = (SIZE - width) // 2
        ImageDraw.Draw(ring).ellipse((edge, edge, edge + width, edge + width), outline=90, width=3)
        one, other = sketches(ring), sketches(saved_anew(ring))
        assert likeness.may_be_alike(likeness.keys(one), likeness.keys(other)).all()


def test_pages_that_are_all_nearly_white_are_told_apart():
    pages = []
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(243, 256, (8, 8)).repeat(8, 0).repeat(8, 1)
        pages.append(Image.fromarray(noise.astype(np.uint8)))
    one, other = sketches(pages[0]), sketches(pages[1])
    assert not likeness.are_alike(one, other).any()
    assert likeness.are_alike(one, sketches(saved_anew(pages[0]))).all()


def test_faint_pictures_that_differ_by_little_differ_by_much_of_what_they_show():
    pages = [
        Image.fromarray(np.random.default_rng(seed).integers(249, 256, (8, 8)).astype(np.uint8))
        for seed in range(2)
    ]
    one, other = (sketches(page.resize((SIZE, SIZE), Image.Resampling.BOX)) for page in pages)
    assert not likeness.are_alike(one, other).any()


def test_a_hash_begins_at_another_quarter_in_each_table():
    (key,) = likeness.keys(sketches(picture(1, 1))).tolist()
    turned = [(key[0] << n | key[0] >> (64 - n)) % 2**64 for n in (0, 16, 32, 48)]
    assert key == turned


def test_bits_are_counted():
    values = np.array([0, 1, 2**63 + 3, 2**64 - 1], np.uint64)
    assert count_bits(values).tolist() == [0, 1, 3, 64]
