"""The registry of backbones: each a flat tf_keras graph from prepared pixels to features.

Backbones are built without preprocessing, which their InputSpec describes instead, and
without nested models or Rescaling layers: pruning and quantization need to see every
layer.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.common.documents import ImageSpec, InputSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.finetune.config import BackboneName, FinetuneConfig
from components.finetune.efficientnet_lite import assign_torch_weights, build_efficientnet_lite0
from components.finetune.small_cnn import build_small_cnn
from components.finetune.torch_weights import read_torch_weights

Build = Callable[..., Any]
"""(input tensor, width=..., weights=...) -> feature maps [n, h, w, c].

`weights` is `none`, `imagenet` or the path of a local file.
"""


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How a backbone is built, and what it wants to see: (pixel - offset) * scale."""

    build: Build
    offset: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """Of red, green, blue; a grey picture takes the first."""
    scale: float = 1 / 127.5

    def input_spec(self, image: ImageSpec) -> InputSpec:
        return InputSpec(
            height=image.height,
            width=image.width,
            channels=image.channels,
            offset=self.offset[: image.channels],
            scale=(self.scale,) * image.channels,
        )


def build_backbone(config: FinetuneConfig, pixels: Any, weights: str) -> Any:
    """Builds the graph of a backbone on a Keras input.

    Args:
      config: which one.
      pixels: Keras tensor [n, height, width, channels].
      weights: `none`, `imagenet` or the path of a local file.

    Returns:
      Keras tensor [n, h, w, c], the feature maps.

    Raises:
      UserError: the weights can't be had, or do not fit.
    """
    try:
        return BACKBONES[config.backbone].build(pixels, width=config.width, weights=weights)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"train.weights: {config.weights} does not fit the backbone {config.backbone} "
            f"of width {config.width:g} ({error}); give a file without the top that was saved "
            "from this backbone"
        ) from error


def _small_cnn(pixels: Any, *, width: float, weights: str) -> Any:
    features = build_small_cnn(pixels, width)
    if weights != "none":
        keras.Model(pixels, features).load_weights(weights)
    return features


def _efficientnet_lite0(pixels: Any, *, width: float, weights: str) -> Any:
    features = build_efficientnet_lite0(pixels)
    model = keras.Model(pixels, features)
    if Path(weights).suffix == ".pth":
        assign_torch_weights(model, read_torch_weights(Path(weights)))
    elif weights != "none":
        model.load_weights(weights)
    return features


def _application(name: str) -> Build:
    def build(pixels: Any, *, width: float, weights: str) -> Any:
        chosen = None if weights == "none" else weights
        options = {"alpha": width} if name == "MobileNetV2" else {}
        try:
            model = getattr(keras.applications, name)(
                input_tensor=pixels, include_top=False, weights=chosen, **options
            )
        except Exception as error:
            if type(error) is not Exception:  # That is what a failed download raises.
                raise
            raise UserError(
                f"train.weights: the ImageNet weights of {name} could not be downloaded "
                f"({error}); give the path of a weights file without the top instead"
            ) from error
        if name == "VGG16" and chosen is not None:
            # Trained on blue, green, red: with the first kernel's input channels turned
            # round it takes red, green, blue.
            first = model.get_layer("block1_conv1")
            kernel, bias = first.get_weights()
            first.set_weights([kernel[:, :, ::-1, :], bias])
        return model.output

    return build


BACKBONES: dict[BackboneName, Backbone] = {
    "small_cnn": Backbone(_small_cnn),
    "efficientnet_lite0": Backbone(_efficientnet_lite0, (127.0, 127.0, 127.0), 1 / 128),
    "mobilenet_v2": Backbone(_application("MobileNetV2")),
    "resnet50_v2": Backbone(_application("ResNet50V2")),
    "inception_v3": Backbone(_application("InceptionV3")),
    # The mean intensities of ImageNet.
    "vgg16": Backbone(_application("VGG16"), (123.68, 116.779, 103.939), 1.0),
}
