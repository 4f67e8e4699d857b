"""Means, deviations and shares of intensities, whatever shards they were counted in."""

import numpy as np

from components.common.tasks.image.statistics import describe_pixels


def test_statistics_are_those_of_the_pixels(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (4, 999, 3))
    histograms = [
        [np.bincount(shard[:, channel], minlength=256).tolist() for channel in range(3)]
        for shard in pixels
    ]
    found = describe_pixels(histograms)
    np.testing.assert_allclose(found.mean, pixels.reshape(-1, 3).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.reshape(-1, 3).std(0), rtol=1e-12)
    shares = np.histogram(pixels, bins=32, range=(0, 256))[0] / pixels.size
    np.testing.assert_allclose(found.histogram, shares, rtol=1e-12)
    assert found == describe_pixels(histograms[::-1])
