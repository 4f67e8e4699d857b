"""Pictures as a model's inputs: decoded as TensorFlow does it, then shifted and scaled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.image import ImageSpec, InputSpec
from components.common.keras import tf
from components.common.tasks.image.augmentation import augment_pictures, changes_pictures
from components.common.tasks.image.config import Augment
from components.common.tasks.image.features import FEATURES

_PARSED = {
    name: tf.io.FixedLenFeature([], tf.int64 if FEATURES[name] is int else tf.string)
    for name in ("image", "label", "id")
}


def prepare_inputs(spec: InputSpec, augment: Augment | None = None) -> Callable[..., Any]:
    """Returns the function that makes uint8 pictures into the model's float32 input."""
    offset, scale = tf.constant(spec.offset), tf.constant(spec.scale)

    def prepare(pictures: Any, seed: Any, places: Any = None, size: Any = None) -> Any:
        pictures = tf.cast(pictures, tf.float32)
        if augment is not None and changes_pictures(augment):
            pictures = augment_pictures(pictures, seed, augment, places=places, size=size)
        return (pictures - offset) * scale

    return prepare


def decode_image(data: Any, image: ImageSpec) -> Any:
    """Decodes one encoded picture exactly as Pillow does: uint8 [height, width, channels]."""
    if image.encoding == "jpeg":
        # The default method differs from libjpeg's, and so from a device's, by up to 15.
        decoded = tf.io.decode_jpeg(data, channels=image.channels, dct_method="INTEGER_ACCURATE")
    else:
        decoded = tf.io.decode_png(data, channels=image.channels)
    return tf.ensure_shape(decoded, image.shape)


def parse_and_decode(records: Any, image: ImageSpec) -> tuple[Any, Any, Any]:
    """Parses a batch of serialized examples.

    Args:
      records: string [b].
      image: how pictures lie in them.

    Returns:
      Pictures uint8 [b, height, width, channels], labels int64 [b], ids string [b].
    """
    parsed = tf.io.parse_example(records, _PARSED)
    pictures = tf.map_fn(
        lambda data: decode_image(data, image),
        parsed["image"],
        fn_output_signature=tf.TensorSpec(image.shape, tf.uint8),
    )
    return pictures, parsed["label"], parsed["id"]


def room_for(count: int, image: ImageSpec) -> npt.NDArray[np.uint8]:
    """Returns an array for so many decoded pictures: uint8 [count, height, width, channels]."""
    return np.empty((count, *image.shape), np.uint8)
