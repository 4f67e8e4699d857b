"""What is known of each backbone without loading it."""

import dataclasses

from components.common.documents.bundle import BackboneName


@dataclasses.dataclass(frozen=True)
class BackboneLimits:
    """What a backbone can take."""

    min_image_size: int
    channels: tuple[int, ...]
    imagenet: bool
    """Whether `weights: imagenet` exists for it."""
    widens: bool = False
    """Whether it takes a width multiplier."""
    thins: bool = False
    """Whether it can be built of fewer blocks."""


BACKBONE_LIMITS: dict[BackboneName, BackboneLimits] = {
    "small_cnn": BackboneLimits(8, (1, 3), imagenet=False, widens=True, thins=True),
    "efficientnet_lite0": BackboneLimits(32, (3,), imagenet=True, thins=True),
    "efficientnet_lite1": BackboneLimits(32, (3,), imagenet=True, thins=True),
    "efficientnet_lite2": BackboneLimits(32, (3,), imagenet=True, thins=True),
    "mobilenet_v2": BackboneLimits(32, (3,), imagenet=True, widens=True),
    "resnet50_v2": BackboneLimits(32, (3,), imagenet=True),
    "inception_v3": BackboneLimits(75, (3,), imagenet=True),
    "vgg16": BackboneLimits(32, (3,), imagenet=True),
}
