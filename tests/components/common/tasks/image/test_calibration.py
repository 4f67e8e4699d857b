"""Pictures that int8 is calibrated on reach as far as what a device may feed."""

import numpy as np

from components.common.tasks.image.calibration import span_range


def test_pictures_are_made_to_span_what_a_device_may_feed() -> None:
    pictures = np.random.default_rng(0).integers(60, 188, (5, 8, 8, 3)).astype(np.uint8)
    spanning = span_range(pictures)
    assert (spanning.min(), spanning.max()) == (0, 255)
    assert (pictures.min(), pictures.max()) == (60, 187), "the argument is left as it was"
    changed = np.argwhere((spanning != pictures).any(axis=-1))
    np.testing.assert_array_equal(changed, [[0, 0, 0], [0, 7, 7]])


def test_pictures_that_span_the_range_are_left_alone() -> None:
    pictures = np.array([0, 255, 7, 9], np.uint8).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(span_range(pictures), pictures)
