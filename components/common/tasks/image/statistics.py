"""What the pixels of a data set are, taken together."""

import math
from collections.abc import Sequence

from components.common.documents.image import PixelStatistics

BINS = 32

UNCOUNTED = PixelStatistics(mean=(), std=(), histogram=())
"""Of pictures that nobody has decoded."""


def describe_pixels(
    histograms: Sequence[Sequence[Sequence[int]]], *, not_square: int = 0
) -> PixelStatistics:
    """Returns mean, standard deviation and histogram of intensities.

    Everything is summed in integers first, so that neither the number of workers nor the
    order of shards shows in the last digit.

    Args:
      histograms: of each shard, [channels][256] pixel counts.
      not_square: how many pictures were not about as high as wide before they were fitted.
    """
    channels = [
        [sum(counts) for counts in zip(*shards, strict=True)]
        for shards in zip(*histograms, strict=True)
    ]
    moments = [_moments(counts) for counts in channels]
    totals = [sum(counts) for counts in zip(*channels, strict=True)]
    width = len(totals) // BINS
    bins = [sum(totals[start : start + width]) for start in range(0, len(totals), width)]
    return PixelStatistics(
        mean=tuple(mean for mean, _ in moments),
        std=tuple(std for _, std in moments),
        histogram=tuple(count / sum(bins) for count in bins),
        not_square=not_square,
    )


def _moments(counts: Sequence[int]) -> tuple[float, float]:
    """Returns mean and standard deviation of intensities, given how many pixels have each."""
    pixels = sum(counts)
    total = sum(intensity * count for intensity, count in enumerate(counts))
    squares = sum(intensity * intensity * count for intensity, count in enumerate(counts))
    # The numerator is exact, however many pixels there are.
    return total / pixels, math.sqrt((squares * pixels - total * total) / pixels**2)
