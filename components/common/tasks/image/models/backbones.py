"""The registry of backbones: each a flat tf_keras graph from prepared pixels to features.

Backbones are built without preprocessing, which their InputSpec describes instead, and
without nested models or Rescaling layers: pruning and quantization need to see every
layer.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from components.common.documents.bundle import BackboneName
from components.common.documents.image import ImageSpec, InputSpec
from components.common.keras import keras
from components.common.tasks.image.models.efficientnet_lite import build_efficientnet_lite
from components.common.tasks.image.models.small_cnn import build_small_cnn

Build = Callable[[Any, float, float], Any]
"""(Keras tensor [n, height, width, channels], width, depth) -> feature maps [n, h, w, c]."""


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


def _application(name: str) -> Build:
    def build(pixels: Any, width: float, depth: float) -> Any:
        assert depth == 1, f"{name} has all of its blocks"
        options = {"alpha": width} if name == "MobileNetV2" else {}
        application = getattr(keras.applications, name)
        model = application(input_tensor=pixels, include_top=False, weights=None, **options)
        return model.output

    return build


def _efficientnet_lite(*, width: float, depth: float) -> Backbone:
    scaled = partial(build_efficientnet_lite, width=width, depth=depth)
    return Backbone(
        lambda pixels, _, share: scaled(pixels, share=share), (127.0, 127.0, 127.0), 1 / 128
    )


BACKBONES: dict[BackboneName, Backbone] = {
    "small_cnn": Backbone(build_small_cnn),
    "efficientnet_lite0": _efficientnet_lite(width=1.0, depth=1.0),
    "efficientnet_lite1": _efficientnet_lite(width=1.0, depth=1.1),
    "efficientnet_lite2": _efficientnet_lite(width=1.1, depth=1.2),
    "mobilenet_v2": Backbone(_application("MobileNetV2")),
    "resnet50_v2": Backbone(_application("ResNet50V2")),
    "inception_v3": Backbone(_application("InceptionV3")),
    # The mean intensities of ImageNet.
    "vgg16": Backbone(_application("VGG16"), (123.68, 116.779, 103.939), 1.0),
}
