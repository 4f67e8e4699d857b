"""A compact convolutional net for tiny pictures, of 8 to some 64 pixels."""

import math
from typing import Any

from components.common.keras import keras

_BLOCKS = ((32, 1), (64, 2), (128, 2))
"""Filters and stride of each block."""


def build_small_cnn(pixels: Any, width: float, depth: float) -> Any:
    """Returns the feature maps of three convolution blocks: [n, h / 4, w / 4, 128 * width].

    With a depth under 1 it has the first two of them, or the first.

    ReLU6 bounds what int8 has to represent. BatchNorm forgets faster than Keras' default
    (0.99), which a few hundred steps on a small data set would not warm up.
    """
    layers = keras.layers
    blocks = _BLOCKS[: math.ceil(len(_BLOCKS) * depth)]
    for number, (filters, stride) in enumerate(blocks, start=1):
        name = f"block{number}"
        pixels = layers.Conv2D(
            max(8, round(filters * width)),
            3,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(pixels)
        pixels = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(pixels)
        pixels = layers.ReLU(6.0, name=f"{name}_relu")(pixels)
    return pixels
