"""What a picture is like, in few bytes: its traits, and the mean of each of 8 by 8 fields.

Saved anew, in another size or quality, a picture has nearly the same fields.
"""

import math

import numpy as np
from PIL import Image

from components.common.tasks.image.sources import VALUES
from components.common.tasks.image.statistics import INTENSITIES, Intensities
from components.common.tasks.sketched import (
    Numbers,
    Sketches,
    code_words,
    pack_numbers,
    part_sketches,
)

SIDE = 8
_FINE = 32
"""Fields along a side by which brightness, contrast and range are told: not noise. The extent is
that of all pixels, which tells thin lines from dull pictures."""

NUMBERS = ("width", "height", "brightness", "contrast", "range", "extent", *VALUES)


def sketch_picture(
    picture: Image.Image,
    intensities: Intensities,
    size: tuple[int, int],
    *,
    kind: str,
    mode: str,
) -> bytes:
    """Returns the sketch of a picture.

    Args:
      picture: as it was fitted.
      intensities: how many of its pixels have each.
      size: width and height before.
      kind: its format, and
      mode: its channels, as `Picture` has them.
    """
    fine = picture.resize((_FINE, _FINE), Image.Resampling.BOX, reducing_gap=1.0)
    fields = fine.reduce(_FINE // SIDE).tobytes()
    words = code_words(VALUES, {"format": kind, "mode": mode})
    ranges = _range(fine), _extent(intensities)
    return pack_numbers(*size, *_brightness_and_contrast(fine), *ranges, *words) + fields


def part(sketches: Sketches) -> tuple[Numbers, Sketches]:
    """Returns the numbers, [n, NUMBERS], and the fields, [n, SIDE * SIDE * channels]."""
    return part_sketches(sketches, len(NUMBERS))


def _brightness_and_contrast(fine: Image.Image) -> tuple[float, float]:
    """Returns mean and standard deviation of the luminance, from sums that are exact."""
    luminance = np.asarray(fine.convert("L"), np.float64).ravel()
    # No product of vectors: for that BLAS starts threads, which wait at work.
    total, squares = float(luminance.sum()), float(np.square(luminance).sum())
    return total / _FINE**2, math.sqrt(squares * _FINE**2 - total * total) / _FINE**2


def _range(fine: Image.Image) -> float:
    """Returns by how much the intensities of a channel differ at most."""
    extrema = np.array(fine.getextrema()).reshape(-1, 2)
    return float((extrema[:, 1] - extrema[:, 0]).max())


def _extent(intensities: Intensities) -> float:
    """Returns the same of all pixels."""
    found = intensities > 0
    return float((INTENSITIES - 1 - found.argmax(axis=1) - found[:, ::-1].argmax(axis=1)).max())
