"""What the pixels of a data set are, taken together."""

import dataclasses
import math
from collections.abc import Sequence

from components.common.documents.image import PixelStatistics

BINS = 32

UNCOUNTED = PixelStatistics(mean=(), std=(), histogram=())
"""Of pictures that nobody has decoded."""


@dataclasses.dataclass(frozen=True)
class Histogram:
    """A histogram to draw.

    Attributes:
      title: what is counted, by what.
      shares: of equally wide bins, which begin at 0.
      end: of the last bin.
      ticks: what to write below.
    """

    title: str
    shares: Sequence[float]
    end: float
    ticks: Sequence[float]


def describe_pixels(histograms: Sequence[Sequence[Sequence[int]]]) -> PixelStatistics:
    """Returns mean, standard deviation and histogram of intensities.

    Everything is summed in integers first, so that neither the number of workers nor the
    order of shards shows in the last digit.

    Args:
      histograms: of each shard, [channels][256] pixel counts.
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
    )


def _moments(counts: Sequence[int]) -> tuple[float, float]:
    """Returns mean and standard deviation of intensities, given how many pixels have each."""
    pixels = sum(counts)
    total = sum(intensity * count for intensity, count in enumerate(counts))
    squares = sum(intensity * intensity * count for intensity, count in enumerate(counts))
    # The numerator is exact, however many pixels there are.
    return total / pixels, math.sqrt((squares * pixels - total * total) / pixels**2)


def intensity_histogram(statistics: PixelStatistics) -> Histogram:
    """Returns what there is to draw of a data set's pixels."""
    return Histogram("Pixels by intensity", statistics.histogram, 256, (0, 64, 128, 192, 255))
