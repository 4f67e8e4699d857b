"""EfficientNet-Lite0: EfficientNet without squeeze-and-excitation, with ReLU6 for int8.

M. Tan, Q. Le, EfficientNet, 2019; the Lite variants are of TensorFlow's model garden. The
PyTorch names are those of the package that carries the ImageNet weights.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.keras import keras


@dataclasses.dataclass(frozen=True)
class _Stage:
    """A row of inverted residual blocks; the first one has the stride."""

    expansion: int
    kernel: int
    stride: int
    filters: int
    blocks: int


_STAGES = (
    _Stage(1, 3, 1, 16, 1),
    _Stage(6, 3, 2, 24, 2),
    _Stage(6, 5, 2, 40, 2),
    _Stage(6, 3, 2, 80, 3),
    _Stage(6, 5, 1, 112, 3),
    _Stage(6, 5, 2, 192, 4),
    _Stage(6, 3, 1, 320, 1),
)

_TORCH_NAMES = {
    "stem_conv": "_conv_stem",
    "stem_norm": "_bn0",
    "expand_conv": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project_conv": "_project_conv",
    "project_norm": "_bn2",
    "top_conv": "_conv_head",
    "top_norm": "_bn1",
}


def build_efficientnet_lite0(pixels: Any) -> Any:
    """Returns the feature maps [n, h / 32, w / 32, 1280]."""
    features = _convolve(pixels, "stem", keras.layers.Conv2D(32, 3, 2, **_conv("stem")))
    number = 0
    for stage in _STAGES:
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            features = _block(features, f"block{number}", stage, stride)
            number += 1
    return _convolve(features, "top", keras.layers.Conv2D(1280, 1, **_conv("top")))


def assign_torch_weights(model: Any, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Puts PyTorch's tensors into the layers of a model that holds this backbone.

    Args:
      model: its layers of other names are passed over.
      tensors: by PyTorch's names; kernels are [out, in, h, w].

    Raises:
      KeyError: a tensor is missing.
      ValueError: a tensor has another shape.
    """
    for layer in model.layers:
        prefix = _torch_prefix(layer.name) if layer.weights else None
        if prefix is None:
            continue
        if isinstance(layer, keras.layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{prefix}.{name}"] for name in names])
        else:
            # A depthwise kernel is [channels, 1, h, w] there and [h, w, channels, 1] here.
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
            layer.set_weights([np.transpose(tensors[f"{prefix}.weight"], axes)])


def _torch_prefix(layer: str) -> str | None:
    """Returns PyTorch's name of a layer: `_blocks.3._bn1` for `block3_depthwise_norm`."""
    if block := re.fullmatch(r"block(\d+)_(\w+)", layer):
        return f"_blocks.{block[1]}.{_TORCH_NAMES[block[2]]}"
    return _TORCH_NAMES.get(layer)


def _block(inputs: Any, name: str, stage: _Stage, stride: int) -> Any:
    features = inputs
    if stage.expansion != 1:
        expand = keras.layers.Conv2D(
            inputs.shape[-1] * stage.expansion, 1, **_conv(f"{name}_expand")
        )
        features = _convolve(features, f"{name}_expand", expand)
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel, stride, **_conv(f"{name}_depthwise", kernel="depthwise_initializer")
    )
    features = _convolve(features, f"{name}_depthwise", depthwise)
    project = keras.layers.Conv2D(stage.filters, 1, **_conv(f"{name}_project"))
    features = _convolve(features, f"{name}_project", project, activate=False)
    if stride == 1 and inputs.shape[-1] == stage.filters:
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
