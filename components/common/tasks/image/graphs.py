"""The graphs of classifiers of pictures."""

from components.common.documents.bundle import Architecture
from components.common.documents.image import ImageSpec, InputSpec
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.models.classifier import build_classifier
from components.common.tasks.image.models.graphs import adapt_input

__all__ = ["adapt_input", "build_classifier", "input_spec"]


def input_spec(architecture: Architecture, image: ImageSpec) -> InputSpec:
    """Returns how a backbone wants pictures to be prepared."""
    return BACKBONES[architecture.backbone].input_spec(image)
