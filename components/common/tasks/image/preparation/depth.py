"""Samples deeper than 8 bits, or of a range of their own: in TIFF files, and PNG of 16 bits."""

import numpy as np
from PIL import Image

from components.common.tasks.image.preparation.spec import PictureError

_RANGES = ((340, 341), (280, 281))
"""TIFF's tags of the least and the greatest sample, those for any kind of number first."""
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def scale_transparency(picture: Image.Image, *, bits: int) -> None:
    """Mends the transparent shade of a PNG file: Pillow gives it in samples of the file's depth."""
    shade = picture.info.get("transparency")
    if isinstance(shade, int) and picture.mode == "L":
        picture.info["transparency"] = shade * 255 // (2**bits - 1)
    elif isinstance(shade, tuple) and bits == 16:
        picture.info["transparency"] = tuple(value >> 8 for value in shade)


def check_samples(picture: Image.Image) -> None:
    """Refuses samples of a TIFF file that may mean anything, as measurements do.

    Raises:
      PictureError: they are of 32 bits, or broken numbers, and the file does not say from where to
        where they reach.
    """
    if picture.mode in ("I", "F") and _stated_range(picture) is None:
        raise PictureError(
            "unreadable",
            "its samples have 32 bits, and the file states no range (SMinSampleValue and "
            "SMaxSampleValue); save it with 8 or 16 bits",
        )


def _stated_range(picture: Image.Image) -> tuple[float, float] | None:
    """Returns from where to where a TIFF file says that its samples reach."""
    tags = getattr(picture, "tag_v2", {})
    for low, high in _RANGES:
        stated = tags.get(high)
        if stated is not None:
            least = tags.get(low, 0)
            first, last = (v[0] if isinstance(v, tuple) else v for v in (least, stated))
            if float(first) < float(last):
                return float(first), float(last)
    return None


def scale_deep(picture: Image.Image) -> Image.Image:
    """Scales what is deeper than 8 bits to [0, 255]; Pillow's own conversion would clip instead.

    It reaches from 0 to 65535, or as the file says: 12 bits of a camera lie in 16.
    """
    values = np.asarray(picture)
    low, high = _stated_range(picture) or (0.0, 65535.0)
    if (low, high) == (0.0, 65535.0):
        levels = (values.astype(np.uint32) * 255 + 32767) // 65535
    else:
        levels = np.rint(np.clip((values.astype(np.float64) - low) / (high - low), 0, 1) * 255)
    if getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels = 255 - levels
    scaled = Image.fromarray(np.nan_to_num(levels).astype(np.uint8))
    shade = picture.info.get("transparency")
    if shade is not None:
        scaled.putalpha(Image.fromarray(np.where(values == shade, 0, 255).astype(np.uint8)))
    return scaled
