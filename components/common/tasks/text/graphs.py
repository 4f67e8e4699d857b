"""The graphs of text classifiers."""

from typing import Any

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.text.models.classifier import ROWS, build_classifier
from components.common.tasks.text.models.layers import Pad

__all__ = ["adapt_input", "build_classifier", "input_spec"]


def input_spec(architecture: TextArchitecture, examples: TextSpec) -> TextSpec:
    """Returns what an encoder expects: texts as they lie in the examples."""
    return examples


def adapt_input(model: Any, own: TextSpec, other: TextSpec) -> Any:
    """Returns a model for texts that are cut to fewer tokens than its own.

    Raises:
      UserError: they are of another vocabulary, or longer.
    """
    if own == other:
        return model
    if own.vocabulary_sha256 != other.vocabulary_sha256 or own.length < other.length:
        raise UserError(
            "distillation: a model can teach none of another vocabulary or of longer texts; make "
            "what trims the vocabulary a variant of its own, and what learns its child"
        )
    tokens = keras.layers.Input((len(ROWS), other.length), name="tokens", dtype="int32")
    padded = Pad(own.length - other.length, name="pad")(tokens)
    return keras.Model(tokens, keras.Model(model.input, model.output).call(padded), name=model.name)
