"""Pretrained weights: from what the recipe names into the layers of a classifier.

The graph is built by our own code, without weights; what a file holds are values alone. The
PyTorch names are those of the package that carries EfficientNet-Lite0's ImageNet weights.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import UserError
from components.common.keras import keras
from components.finetune.config import TORCH_FILES, FinetuneConfig
from components.finetune.torch_weights import read_torch_weights

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


def assign_pretrained(model: Any, config: FinetuneConfig, weights: str) -> None:
    """Puts pretrained weights into the backbone of a classifier.

    Args:
      model: as `build_classifier` makes it.
      config: names the backbone.
      weights: `none`, `imagenet` or the path of a local file.

    Raises:
      UserError: the weights can't be had, or do not fit.
    """
    if weights == "none":
        return
    backbone = keras.Model(model.input, model.get_layer("pool").input)
    try:
        if weights == "imagenet":
            backbone.set_weights(_download(config, backbone.input_shape[1:]))
        elif Path(weights).suffix in TORCH_FILES:
            assign_torch_weights(backbone, read_torch_weights(Path(weights)))
        else:
            backbone.load_weights(weights)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"train.weights: {config.weights} does not fit the backbone {config.backbone} "
            f"of width {config.width:g} ({error}); give a file without the top that was saved "
            "from this backbone"
        ) from error
    if config.backbone == "vgg16":
        # Trained on blue, green, red: with the first kernel's input channels turned round it
        # takes red, green, blue.
        first = model.get_layer("block1_conv1")
        kernel, bias = first.get_weights()
        first.set_weights([kernel[:, :, ::-1, :], bias])


def _download(config: FinetuneConfig, shape: tuple[int, ...]) -> list[npt.NDArray[Any]]:
    """Returns the ImageNet weights that tf_keras downloads, whose digests it knows."""
    name = _APPLICATIONS[config.backbone]
    options = {"alpha": config.width} if name == "MobileNetV2" else {}
    inputs = keras.layers.Input(shape)
    try:
        model = getattr(keras.applications, name)(
            input_tensor=inputs, include_top=False, weights="imagenet", **options
        )
    except Exception as error:
        if type(error) is not Exception:  # That is what a failed download raises.
            raise
        raise UserError(
            f"train.weights: the ImageNet weights of {name} could not be downloaded "
            f"({error}); give the path of a weights file without the top instead"
        ) from error
    weights: list[npt.NDArray[Any]] = model.get_weights()
    return weights


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
