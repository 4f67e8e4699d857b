"""A text classifier that sees less of a text, or knows fewer tokens, by the weights it has."""

from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.text.models.classifier import build_classifier
from components.common.tasks.text.models.layers import Cut, Positions


def seen_length(model: Any) -> int:
    """Returns how many tokens of a text a classifier sees."""
    length: int = model.get_layer("cut").length
    return length


def shorten_classifier(model: Any, length: int) -> Any:
    """Returns a classifier that sees a text's first tokens alone.

    Args:
      model: as `build_classifier` makes it; its layers are taken over.
      length: fewer tokens than it sees.

    Raises:
      UserError: it sees no more.
    """
    if length >= seen_length(model):
        raise UserError(
            f"length.tokens: the model sees {seen_length(model)} tokens of a text; state fewer "
            f"than these, not {length}"
        )
    places = Positions(name="positions")
    fresh = {"cut": Cut(length, name="cut"), "positions": places}
    short = keras.models.clone_model(
        model, clone_function=lambda layer: fresh.get(layer.name, layer)
    )
    before = model.get_layer("positions")
    places.table.assign(before.table[:length])
    places.trainable = before.trainable
    return short


def trim_classifier(
    model: Any, architecture: TextArchitecture, spec: TextSpec, kept: npt.NDArray[np.int64]
) -> Any:
    """Returns a classifier that knows some of the tokens that another one knows.

    Args:
      model: what `build_classifier` made of the same architecture.
      architecture: what both are built from.
      spec: of the texts that the new one takes, of a trimmed vocabulary.
      kept: which rows of the table of tokens are left.
    """
    small = build_classifier(architecture, spec, model.output_shape[-1])
    for layer in small.layers:
        if layer.weights:
            old = model.get_layer(layer.name)
            weights = old.get_weights()
            layer.set_weights([weights[0][kept]] if layer.name == "words" else weights)
            layer.trainable = old.trainable
    return small
