"""What a device feeds a model: pictures, decoded by Pillow as a device without TensorFlow would."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.common.documents.image import ImageSpec
from components.common.tasks.image.features import Example


def device_input(image: ImageSpec) -> Callable[[Example], npt.NDArray[np.uint8]]:
    """Returns the function that makes an example's bytes into the tensor of `decode_picture`."""
    return lambda example: decode_picture(example.image, channels=image.channels)


def decode_picture(data: bytes, *, channels: int) -> npt.NDArray[np.uint8]:
    """Decodes a picture of the examples.

    Args:
      data: JPEG or PNG, as preprocess encoded it.
      channels: 1 or 3.

    Returns:
      uint8 [height, width, channels], intensities in [0, 255].
    """
    with Image.open(io.BytesIO(data)) as picture:
        array = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return array.reshape(*array.shape[:2], channels)
