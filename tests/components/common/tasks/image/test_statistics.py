"""Means, deviations and shares of intensities, whatever shards they were counted in."""

import numpy as np
from PIL import Image

from components.common.tasks.image.statistics import (
    BINS,
    count_intensities,
    describe_pixels,
    sum_intensities,
)


def test_statistics_are_those_of_the_pixels():
    pictures = np.random.default_rng(5).integers(0, 256, (4, 9, 111, 3), np.uint8)
    counted = [sum_intensities(count_intensities(Image.fromarray(each))) for each in pictures]
    sums, squares, bins = np.split(np.sum(counted, axis=0), [3, 6])
    found = describe_pixels(sums.tolist(), squares.tolist(), bins.tolist())
    pixels = pictures.reshape(-1, 3)
    np.testing.assert_allclose(found.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(0), rtol=1e-12)
    shares = np.histogram(pixels, bins=BINS, range=(0, 256))[0] / pixels.size
    np.testing.assert_allclose(found.histogram, shares, rtol=1e-12)


def test_the_deviation_of_much_data_is_exact():
    # A thousand million pixels of 200, and as many of 201.
    million = 10**9
    bins = [0] * BINS
    bins[25] = 2 * million
    found = describe_pixels([401 * million], [80_401 * million], bins)
    assert (found.mean, found.std) == ((200.5,), (0.5,))
