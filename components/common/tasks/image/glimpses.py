"""A look at a picture's file; see `tasks/glimpses.py`."""

import base64

from components.common.tasks.image.preparation.pictures import (
    describe_picture,
    encode_picture,
    measure_picture,
    prepare_picture,
)
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.tasks.image.preparation.spec import PictureError, PictureSpec
from components.common.tasks.image.sources import VALUES
from components.common.tasks.made import Unusable
from components.common.tasks.told import Description, Glimpse, Shown

SIDES = "pixels of the longer side"


def glimpse(data: bytes, settings: PictureSettings) -> Glimpse:
    """Returns format, size and a small copy of a picture."""
    spec = _spec(settings)
    try:
        kind, (width, height) = measure_picture(data)
        encoded = encode_picture(prepare_picture(data, spec).image, spec)
    except PictureError as error:
        raise Unusable(error.reason, str(error)) from error
    address = f"data:image/jpeg;base64,{base64.b64encode(encoded).decode('ascii')}"
    return Glimpse(kind, max(width, height), Shown(address=address))


def describe(data: bytes, settings: PictureSettings) -> Description:
    """Returns format, mode and size of a picture."""
    try:
        found = describe_picture(data, _spec(settings))
    except PictureError as error:
        raise Unusable(error.reason, str(error)) from error
    mode = found.mode if found.mode in VALUES["mode"] else "other"
    width, height = found.size
    return Description({"format": found.kind, "mode": mode}, {"width": width, "height": height})


def _spec(settings: PictureSettings) -> PictureSpec:
    """Returns what a small copy is, of what a run won't reject."""
    return PictureSettings(
        image_size=128, fit="pad", jpeg_quality=82, max_pixels=settings.max_pixels
    ).picture_spec()
