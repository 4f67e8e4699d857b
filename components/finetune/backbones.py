"""The registry of backbones: each a flat tf_keras graph from prepared pixels to features.

Backbones are built without preprocessing, which their InputSpec describes instead, and
without nested models or Rescaling layers: pruning and quantization need to see every
layer.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from components.common.documents import ImageSpec, InputSpec
from components.finetune.config import BackboneName
from components.finetune.small_cnn import build_small_cnn

Build = Callable[[Any, float], Any]
"""(input tensor, width multiplier) -> feature maps [n, h, w, c]."""


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How a backbone is built, and what it wants to see: (pixel - offset) * scale."""

    build: Build
    offset: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: float = 1 / 127.5

    def input_spec(self, image: ImageSpec) -> InputSpec:
        return InputSpec(
            height=image.height,
            width=image.width,
            channels=image.channels,
            offset=self.offset[: image.channels],
            scale=(self.scale,) * image.channels,
        )


BACKBONES: dict[BackboneName, Backbone] = {
    "small_cnn": Backbone(build_small_cnn),
}
