"""What the pixels of a data set are, taken together.

Of each picture some whole numbers are counted, which add up: so neither the number of workers nor
the order of shards shows in the last digit.
"""

import math
from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.common.documents.image import PixelStatistics

INTENSITIES = 256
BINS = 32

_POWERS = np.stack([np.arange(INTENSITIES), np.arange(INTENSITIES) ** 2])
"""Of each intensity: int64 [2, INTENSITIES]."""

UNCOUNTED = PixelStatistics(mean=(), std=(), histogram=())
"""Of pictures that nobody has decoded."""


Intensities = npt.NDArray[np.int64]
"""[channels, INTENSITIES]: how many pixels have each intensity."""


def count_intensities(picture: Image.Image) -> Intensities:
    # An array takes a list in a third of the time.
    return np.array(array("q", picture.histogram()), np.int64).reshape(-1, INTENSITIES)


def sum_intensities(counts: Intensities) -> list[int]:
    """Returns what `describe_pixels` takes, for one picture.

    They are the sum of each channel's intensities, that of their squares, and how many pixels of
    all channels have an intensity in each of BINS bins.
    """
    bins = counts.reshape(-1, BINS, INTENSITIES // BINS).sum(axis=(0, 2))
    return [*(_POWERS @ counts.T).ravel().tolist(), *bins.tolist()]


def describe_pixels(
    sums: Sequence[int], squares: Sequence[int], bins: Sequence[int], *, not_square: int = 0
) -> PixelStatistics:
    """Returns mean, standard deviation and histogram of intensities.

    Args:
      sums: of each channel's intensities,
      squares: the same of their squares, and
      bins: how many pixels of all channels have an intensity in each of BINS bins.
      not_square: how many pictures were not about as high as wide before they were fitted.
    """
    pixels = sum(bins) // len(sums)
    return PixelStatistics(
        mean=tuple(total / pixels for total in sums),
        # The numerator is exact, however many pixels there are.
        std=tuple(
            math.sqrt((square * pixels - total * total) / pixels**2)
            for total, square in zip(sums, squares, strict=True)
        ),
        histogram=tuple(count / sum(bins) for count in bins),
        not_square=not_square,
    )
