"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6 for int8.

M. Tan, Q. Le, EfficientNet, 2019; the Lite variants are of TensorFlow's model garden. The larger
ones are Lite0 with more filters and blocks between its stem and its top.
"""

import dataclasses
import math
from typing import Any

from components.common.keras import keras


@dataclasses.dataclass(frozen=True)
class _BlockRow:
    """A row of inverted residual blocks; the first one has the stride."""

    expansion: int
    kernel: int
    stride: int
    filters: int
    blocks: int


_ROWS = (
    _BlockRow(1, 3, 1, 16, 1),
    _BlockRow(6, 3, 2, 24, 2),
    _BlockRow(6, 5, 2, 40, 2),
    _BlockRow(6, 3, 2, 80, 3),
    _BlockRow(6, 5, 1, 112, 3),
    _BlockRow(6, 5, 2, 192, 4),
    _BlockRow(6, 3, 1, 320, 1),
)


def build_efficientnet_lite(pixels: Any, *, width: float, depth: float, share: float = 1.0) -> Any:
    """Returns the feature maps [n, h / 32, w / 32, 1280].

    Args:
      pixels: [n, h, w, 3].
      width: of Lite0's filters, how many there are.
      depth: of Lite0's blocks, how many there are.
      share: of these blocks, how many of each row are built: the first ones. They keep their names,
        and so the weights that there are for them.
    """
    features = _convolve(pixels, "stem", keras.layers.Conv2D(32, 3, 2, **_conv("stem")))
    number = 0
    for row in _scale_rows(width, depth):
        for index in range(math.ceil(row.blocks * share)):
            stride = row.stride if index == 0 else 1
            features = _block(features, f"block{number + index}", row, stride)
        number += row.blocks
    return _convolve(features, "top", keras.layers.Conv2D(1280, 1, **_conv("top")))


def _scale_rows(width: float, depth: float) -> list[_BlockRow]:
    # The first and the last row belong to stem and top: they keep their number of blocks.
    ends = _ROWS[0], _ROWS[-1]
    return [
        dataclasses.replace(
            row,
            filters=_scale_filters(row.filters, width),
            blocks=row.blocks if row in ends else math.ceil(row.blocks * depth),
        )
        for row in _ROWS
    ]


def _scale_filters(filters: int, width: float) -> int:
    """Returns the nearest multiple of 8, but not below nine tenths of what was asked for."""
    wanted = filters * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def _block(inputs: Any, name: str, row: _BlockRow, stride: int) -> Any:
    features = inputs
    if row.expansion != 1:
        expand = keras.layers.Conv2D(inputs.shape[-1] * row.expansion, 1, **_conv(f"{name}_expand"))
        features = _convolve(features, f"{name}_expand", expand)
    depthwise = keras.layers.DepthwiseConv2D(
        row.kernel, stride, **_conv(f"{name}_depthwise", kernel="depthwise_initializer")
    )
    features = _convolve(features, f"{name}_depthwise", depthwise)
    project = keras.layers.Conv2D(row.filters, 1, **_conv(f"{name}_project"))
    features = _convolve(features, f"{name}_project", project, activate=False)
    if stride == 1 and inputs.shape[-1] == row.filters:
        features = keras.layers.Add(name=f"{name}_add")([inputs, features])
    return features


def _conv(name: str, *, kernel: str = "kernel_initializer") -> dict[str, Any]:
    # Fan-out scaling as in the original, for training from scratch.
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return {"padding": "same", "use_bias": False, "name": f"{name}_conv", kernel: initializer}


def _convolve(inputs: Any, name: str, convolution: Any, *, activate: bool = True) -> Any:
    normalize = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")
    features = normalize(convolution(inputs))
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(features) if activate else features
