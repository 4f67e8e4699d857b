"""Encoded pictures as data: addresses, small enough to carry inside the page."""

import base64
import io
from collections.abc import Iterable

from components.common.documents.image import ImageSpec
from components.common.tasks.image.features import Example

CLASSES = 40
"""More classes are not illustrated."""
PICTURES = 240
"""Of all classes together."""
SEARCHED_EXAMPLES = 4000
"""A class that does not show up among these stays without thumbnails."""


def pick_thumbnails(
    examples: Iterable[Example], *, class_count: int, per_class: int
) -> dict[int, list[bytes]]:
    """Picks the first few pictures of each class; stops reading as soon as it has them.

    Args:
      examples: of one split.
      class_count: how many classes there are; only the first few are illustrated.
      per_class: how many pictures of each to pick.

    Returns:
      label -> encoded pictures.
    """
    classes = min(class_count, CLASSES)
    per_class = min(per_class, PICTURES // max(1, classes))
    picked: dict[int, list[bytes]] = {label: [] for label in range(classes)}
    missing = classes * per_class
    for number, example in enumerate(examples, start=1):
        if missing == 0 or number > SEARCHED_EXAMPLES:
            break
        pictures = picked.get(example.label)
        if pictures is not None and len(pictures) < per_class:
            pictures.append(example.image)
            missing -= 1
    return picked


def pick_pictures(examples: Iterable[Example], ids: frozenset[str]) -> dict[str, bytes]:
    """Picks examples by id; stops reading as soon as it has them.

    Returns:
      id -> encoded picture.
    """
    picked: dict[str, bytes] = {}
    if ids:
        for example in examples:
            if example.id in ids:
                picked[example.id] = example.image
                if len(picked) == len(ids):
                    break
    return picked


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
