"""A text classifier that sees less of a text, or knows fewer tokens, by the weights it has."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.text.models.classifier import WORDS
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
    short = _replace_layers(model, {"cut": Cut(length, name="cut"), "positions": places})
    before = model.get_layer("positions")
    places.table.assign(before.table[:length])
    places.trainable = before.trainable
    return short


def trim_classifier(model: Any, kept: npt.NDArray[np.int64]) -> Any:
    """Returns a classifier that knows some of the tokens that another one knows.

    Args:
      model: as `build_classifier` makes it; its layers are taken over.
      kept: which rows of the table of tokens are left: int64 [tokens].
    """
    before = model.get_layer(WORDS)
    words = type(before).from_config({**before.get_config(), "input_dim": len(kept)})
    small = _replace_layers(model, {WORDS: words})
    words.embeddings.assign(before.get_weights()[0][kept])
    words.trainable = before.trainable
    return small


def _replace_layers(model: Any, fresh: Mapping[str, Any]) -> Any:
    """Returns a model with other layers in the place of those of the same names."""
    return keras.models.clone_model(
        model, clone_function=lambda layer: fresh.get(layer.name, layer)
    )
