"""Augmentation: each change does what its name says, within its bounds, by its seed."""

import numpy as np
import pytest

from components.common.keras import tf
from components.common.tasks.image.augmentation import augment_pictures
from components.common.tasks.image.config import Augment
from tests.builders.synthetic import draw_picture


def pictures(*, low: int = 60, high: int = 180, channels: int = 3) -> np.ndarray:
    drawn = [draw_picture(i % 3, i, channels=channels, low=low, high=high) for i in range(64)]
    return np.stack(drawn).astype(np.float32)


def augmented(batch: np.ndarray, seed: int = 0, **changes) -> np.ndarray:
    return augment_pictures(
        tf.constant(batch), tf.constant([seed, 7], tf.int64), Augment(**changes)
    ).numpy()


def test_flip_mirrors_some_pictures_and_leaves_the_others():
    batch = pictures()
    result = augmented(batch, flip=True)
    mirrored = [np.allclose(a, b[:, ::-1], atol=1e-3) for a, b in zip(result, batch, strict=True)]
    same = [np.allclose(a, b, atol=1e-3) for a, b in zip(result, batch, strict=True)]
    assert all(m or s for m, s in zip(mirrored, same, strict=True))
    assert 16 < sum(m and not s for m, s in zip(mirrored, same, strict=True)) < 48


def test_shift_moves_by_at_most_its_share():
    batch = np.zeros((64, 20, 20, 1), np.float32)
    batch[:, 10, 10] = 240.0
    moved = augmented(batch, shift=0.2)
    y, x = np.mgrid[:20, :20]
    mass = moved[..., 0].sum((1, 2))
    for axis in (y, x):
        center = (moved[..., 0] * axis).sum((1, 2)) / mass
        distance = np.abs(center - 10)
        assert distance.max() <= 4.01
        assert distance.max() > 2


def test_zoom_scales_about_the_centre_by_at_most_its_share():
    y, x = np.mgrid[:41, :41] - 20.0
    disc = (255.0 * (x**2 + y**2 <= 100)).astype(np.float32)[None, :, :, None]
    zoomed = augmented(np.repeat(disc, 64, axis=0), zoom=0.3)
    scale = np.sqrt(zoomed.sum((1, 2, 3)) / disc.sum())
    assert 0.68 < scale.min() < 0.8
    assert 1.2 < scale.max() < 1.32
    np.testing.assert_allclose(zoomed, zoomed[:, :, ::-1], atol=0.1)


def test_what_moves_in_is_the_nearest_pixel():
    batch = np.full((8, 12, 12, 1), 200.0, np.float32)
    result = augmented(batch, shift=0.4, zoom=0.5, flip=True)
    np.testing.assert_allclose(result, batch, atol=1e-3)


def test_brightness_adds_the_same_to_every_pixel():
    batch = pictures()
    delta = augmented(batch, brightness=0.2) - batch
    np.testing.assert_allclose(delta, np.broadcast_to(delta[:, :1, :1, :1], delta.shape), atol=1e-3)
    assert 40 < np.abs(delta).max() <= 51.01


def test_contrast_keeps_the_mean():
    batch = pictures()
    result = augmented(batch, contrast=0.4)
    np.testing.assert_allclose(result.mean((1, 2, 3)), batch.mean((1, 2, 3)), rtol=1e-3)
    factors = result.std((1, 2, 3)) / batch.std((1, 2, 3))
    assert 0.6 <= factors.min() < 0.8
    assert 1.2 < factors.max() <= 1.41


def test_saturation_changes_colours_but_not_greys():
    gray = pictures()
    np.testing.assert_allclose(augmented(gray, saturation=0.5), gray, atol=0.1)
    colour = gray * np.array([1.0, 0.6, 0.3], np.float32)
    assert np.abs(augmented(colour, saturation=0.5) - colour).max() > 10


@pytest.mark.parametrize("channels", [1, 3])
def test_all_changes_together_stay_in_range_and_follow_the_seed(channels):
    batch = pictures(low=0, high=255, channels=channels)
    changes = {"flip": True, "shift": 0.2, "zoom": 0.3, "brightness": 0.3, "contrast": 0.3}
    changes["saturation"] = 0.3
    result = augmented(batch, **changes)
    assert result.shape == batch.shape
    assert result.min() >= 0
    assert result.max() <= 255
    np.testing.assert_array_equal(result, augmented(batch, **changes))
    assert not np.array_equal(result, augmented(batch, seed=1, **changes))
