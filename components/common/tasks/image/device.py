"""Encoded pictures to arrays, with Pillow: what a device without TensorFlow would see."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image


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
