"""Random changes of training pictures, a batch at a time and without hidden state.

The same seed gives the same changes, whatever the number of threads or replicas, and a
run that resumes at a step changes that step's pictures as the first run did.
"""

from collections.abc import Callable
from typing import Any

from components.common.keras import tf
from components.common.training_config import Augment

_GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma of red, green, blue.


def augment_pictures(pictures: Any, seed: Any, augment: Augment) -> Any:
    """Changes a batch of pictures at random.

    Args:
      pictures: float32 [n, height, width, channels], intensities in [0, 255].
      seed: int64 [2].
      augment: what to change, and by how much.

    Returns:
      float32 of the same shape, in [0, 255]. What moves in from outside the frame is the
      nearest pixel within.
    """
    seeds = tf.random.split(seed, 5, alg="philox")
    if augment.flip or augment.shift or augment.zoom:
        pictures = _move(pictures, seeds[0], seeds[1], augment)
    if augment.brightness:
        delta = _uniform(pictures, seeds[2], augment.brightness)
        pictures = pictures + 255.0 * delta
    if augment.contrast:
        mean = tf.reduce_mean(pictures, axis=(1, 2, 3), keepdims=True)
        factor = 1.0 + _uniform(pictures, seeds[3], augment.contrast)
        pictures = mean + (pictures - mean) * factor
    if augment.saturation and pictures.shape[-1] == 3:
        gray = tf.reduce_sum(pictures * tf.constant(_GRAY), axis=-1, keepdims=True)
        factor = 1.0 + _uniform(pictures, seeds[4], augment.saturation)
        pictures = gray + (pictures - gray) * factor
    return tf.clip_by_value(pictures, 0.0, 255.0)


def changes_pictures(augment: Augment) -> bool:
    return augment != Augment()


def _move(pictures: Any, flip_seed: Any, seed: Any, augment: Augment) -> Any:
    """Flips, scales about the centre and shifts, in one bilinear sampling."""
    count, height, width = (tf.shape(pictures)[axis] for axis in range(3))
    uniform: Callable[..., Any] = tf.random.stateless_uniform
    moves = uniform([3, count], seed, -1.0, 1.0)
    zoom = 1.0 / (1.0 + augment.zoom * moves[0])
    mirror = tf.ones([count])
    if augment.flip:
        mirror = tf.where(uniform([count], flip_seed) < 0.5, -1.0, 1.0)
    center_x = (tf.cast(width, tf.float32) - 1.0) / 2.0
    center_y = (tf.cast(height, tf.float32) - 1.0) / 2.0
    shift_x = augment.shift * tf.cast(width, tf.float32) * moves[1]
    shift_y = augment.shift * tf.cast(height, tf.float32) * moves[2]
    # Each row maps an output pixel (x, y) to the input: (a0 x + a1 y + a2, b0 x + b1 y + b2).
    zero = tf.zeros([count])
    transforms = tf.stack(
        [
            *(mirror * zoom, zero, center_x * (1.0 - mirror * zoom) + shift_x),
            *(zero, zoom, center_y * (1.0 - zoom) + shift_y),
            *(zero, zero),
        ],
        axis=1,
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _uniform(pictures: Any, seed: Any, bound: float) -> Any:
    """Returns one number in [-bound, bound) for each picture: [n, 1, 1, 1]."""
    return tf.random.stateless_uniform([tf.shape(pictures)[0], 1, 1, 1], seed, -bound, bound)
