"""The facet by which a model card tells how a model is fed."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from components.common.documents.candidate import TFLiteModel
from components.common.documents.dataset import ExampleSpec, TaskName


class Card(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ExampleSpec."""

    CLASSIFIER: str
    """What a model is: `an image classifier`."""

    def input_properties(self, model: TFLiteModel, spec: Any, /) -> list[tuple[str, str]]:
        """Returns name and text of what the card's head says of the input."""

    def explain_use(self, model: TFLiteModel, spec: Any, /) -> str:
        """Returns how an example must be brought to the model, in a few lines of text."""

    def example_code(self, model: TFLiteModel, spec: Any, /) -> str:
        """Returns a few lines of Python that classify an example with the released files."""

    def release_files(self, data: bytes, model: TFLiteModel, /) -> Mapping[str, bytes]:
        """Returns what these lines need beside model and labels: name -> content.

        Args:
          data: the model's file.
          model: what was found in it.
        """


def card_of(spec: ExampleSpec) -> Card:
    """Returns what model cards say of a task's models."""
    return _TASKS[spec.task]()


def _image() -> Card:
    from components.common.tasks.image import model_card

    return model_card


def _text() -> Card:
    from components.common.tasks.text import model_card

    return model_card


_TASKS: Mapping[TaskName, Callable[[], Card]] = {"image": _image, "text": _text}
