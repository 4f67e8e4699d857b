"""The graph of a classifier: built from its description, never read from a file."""

from typing import Any

from components.common.documents.bundle import HEAD, Architecture
from components.common.documents.image import InputSpec
from components.common.keras import keras
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.models.narrowing import narrow_model


def build_classifier(
    architecture: Architecture, spec: InputSpec, classes: int, *, precision: str = "float32"
) -> Any:
    """Returns a classifier with fresh weights.

    Its layers have the same names in every process, whatever was built before.

    Args:
      architecture: names the backbone, the filters that were cut, and by how much it sees
        pictures smaller than they are.
      spec: the size of the pictures.
      classes: how many there are.
      precision: Keras' policy for the layers, such as `mixed_bfloat16`.

    Returns:
      A flat functional model: float32 [n, height, width, channels], prepared as `spec`
      says, to probabilities float32 [n, classes].

    Raises:
      NarrowingError: the architecture's filters are none that such a graph can have.
    """
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    keras.backend.reset_uids()
    try:
        return narrow_model(_build(architecture, spec, classes), architecture.filters)
    finally:
        keras.mixed_precision.set_global_policy(policy)


def _build(architecture: Architecture, spec: InputSpec, classes: int) -> Any:
    layers = keras.layers
    pixels = layers.Input(spec.shape, name="pixels")
    features = pixels
    if architecture.shrink > 1:
        features = layers.AveragePooling2D(architecture.shrink, name="shrink")(features)
    build = BACKBONES[architecture.backbone].build
    features = build(features, architecture.width, architecture.depth)
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    features = layers.Dropout(architecture.dropout, seed=architecture.dropout_seed, name="dropout")(
        features
    )
    logits = layers.Dense(classes, name=HEAD, dtype="float32")(features)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(pixels, probabilities, name=architecture.backbone)
