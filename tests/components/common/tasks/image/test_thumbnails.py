"""Pictures that a page carries: few, and small."""

import base64
import io
from collections.abc import Iterator

import pytest
from PIL import Image

from components.common.documents.image import ImageSpec
from components.common.tasks.image.features import Example
from components.common.tasks.image.thumbnails import pick_pictures, pick_thumbnails, picture_address


def test_thumbnails_stop_reading_when_there_are_enough() -> None:
    read = []

    def examples() -> Iterator[Example]:
        for number in range(1000):
            read.append(number)
            yield Example(str(number), b"%d" % number, number % 3)

    picked = pick_thumbnails(examples(), class_count=3, per_class=2)
    assert picked == {0: [b"0", b"3"], 1: [b"1", b"4"], 2: [b"2", b"5"]}
    assert len(read) == 7


def test_pictures_are_found_by_id() -> None:
    examples = [Example(name, name.encode(), 0) for name in "abc"]
    assert pick_pictures(examples, frozenset("bx")) == {"b": b"b"}


@pytest.mark.parametrize(("side", "expected"), [(64, (40, 20)), (40, (40, 20)), (20, (20, 10))])
def test_only_large_pictures_are_shrunk(side: int, expected: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "PNG")
    image = ImageSpec(
        height=20, width=40, channels=3, encoding="png", fit="crop", background="#ffffff"
    )
    address = picture_address(buffer.getvalue(), image, side=side)
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        assert picture.size == expected
