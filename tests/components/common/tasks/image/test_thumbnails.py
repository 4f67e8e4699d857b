"""Pictures that a page carries: small."""

import base64
import io

import pytest
from PIL import Image

from components.common.documents.image import ImageSpec
from components.common.tasks.image.thumbnails import picture_address


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
