"""The graphs of text classifiers."""

from typing import Any

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.errors import UserError
from components.common.tasks.text.models.classifier import build_classifier
from components.common.tasks.text.models.resizing import trim_classifier
from components.common.tasks.text.trimming import find_rows

__all__ = ["adapt_input", "build_classifier", "input_spec"]


def input_spec(architecture: TextArchitecture, examples: TextSpec) -> TextSpec:
    """Returns what an encoder expects: texts as they lie in the examples."""
    return examples


def adapt_input(model: Any, own: TextSpec, other: TextSpec) -> Any:
    """Returns the model for texts that are read for another one, which may know fewer tokens.

    It then sees what that one sees: words in the tokens that both know.

    Raises:
      UserError: they are of another length, or have tokens that it lacks.
    """
    if own != other:
        rows = find_rows(own, other)
        if rows is not None and own.length == other.length:
            return trim_classifier(model, rows)
        raise UserError(
            "distillation: a model can teach none whose texts are of another vocabulary or length"
        )
    return model
