"""A text classifier for a smaller vocabulary or shorter texts, with the weights that are left."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.tasks.text.models.classifier import build_classifier

Weights = Sequence[npt.NDArray[np.float32]]


def resize_classifier(
    model: Any,
    architecture: TextArchitecture,
    spec: TextSpec,
    *,
    kept: npt.NDArray[np.int64] | None = None,
) -> Any:
    """Returns a classifier that answers as another one does, as far as it knows a text's tokens.

    Args:
      model: what `build_classifier` made of the same architecture.
      architecture: what both are built from.
      spec: of the texts that the new one takes: no longer, of no more tokens.
      kept: which rows of the table of tokens are left; None for all.
    """
    small = build_classifier(architecture, spec, model.output_shape[-1])
    for layer in small.layers:
        if layer.weights:
            old = model.get_layer(layer.name)
            layer.set_weights(_left(layer.name, old.get_weights(), spec, kept))
            layer.trainable = old.trainable
    return small


def _left(
    name: str, weights: Weights, spec: TextSpec, kept: npt.NDArray[np.int64] | None
) -> Weights:
    if name == "positions":
        return [weights[0][: spec.length]]
    if name == "words" and kept is not None:
        return [weights[0][kept]]
    return weights
