"""Encoded pictures as data: addresses, small enough to carry inside a page."""

import base64
import io

from components.common.documents.image import ImageSpec


def picture_address(encoded: bytes, image: ImageSpec, *, side: int) -> str:
    """Returns a data: address; a picture of more than `side` pixels is made smaller."""
    encoding = image.encoding
    if max(image.height, image.width) > side:
        encoded, encoding = _shrunk(encoded, side), "jpeg"
    return f"data:image/{encoding};base64,{base64.b64encode(encoded).decode('ascii')}"


def _shrunk(encoded: bytes, side: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(encoded)) as picture:
        picture.thumbnail((side, side))
        picture.save(buffer, "JPEG", quality=82, optimize=True)
    return buffer.getvalue()
