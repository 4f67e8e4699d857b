"""The graphs of text classifiers."""

from typing import Any

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.errors import UserError
from components.common.tasks.text.models.classifier import build_classifier

__all__ = ["adapt_input", "build_classifier", "input_spec"]


def input_spec(architecture: TextArchitecture, examples: TextSpec) -> TextSpec:
    """Returns what an encoder expects: texts as they lie in the examples."""
    return examples


def adapt_input(model: Any, own: TextSpec, other: TextSpec) -> Any:
    """Returns the model: texts are prepared alike for all models of a data set.

    Raises:
      UserError: they are of another vocabulary or length.
    """
    if own != other:
        raise UserError(
            "distillation: a model can teach none whose texts are of another vocabulary or length"
        )
    return model
