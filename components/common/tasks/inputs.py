"""The facet by which examples become what a Keras model is trained on and asked."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy.typing as npt

from components.common.documents.bundle import ModelInput
from components.common.documents.dataset import ExampleSpec, TaskName

Prepare = Callable[..., Any]
"""Makes examples into model inputs, given a seed (int64 [2]), their places in the batch
(int32 [b]) and the batch's size; without the latter two, they are the batch."""


class Inputs(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ExampleSpec."""

    def parse_and_decode(self, records: Any, spec: Any, /) -> tuple[Any, Any, Any]:
        """Parses a batch of records: string [b].

        Returns:
          Examples [b, ...], labels int64 [b], ids string [b].
        """

    def room_for(self, count: int, spec: Any, /) -> npt.NDArray[Any]:
        """Returns an array for so many decoded examples: [count, ...]."""

    def prepare_inputs(self, spec: Any, augment: Any = None, /) -> Prepare:
        """Returns what makes decoded examples into the model's input.

        Args:
          spec: the task's own ModelInput.
          augment: how examples are changed while a model trains; None leaves them as they are.
        """


def parse_and_decode(records: Any, spec: ExampleSpec) -> tuple[Any, Any, Any]:
    """Parses a batch of records; see `Inputs`."""
    return _of(spec.task).parse_and_decode(records, spec)


def room_for(count: int, spec: ExampleSpec) -> npt.NDArray[Any]:
    """Returns an array for so many decoded examples: [count, ...]."""
    return _of(spec.task).room_for(count, spec)


def prepare_inputs(spec: ModelInput, augment: Any = None) -> Prepare:
    """Returns what makes decoded examples into the model's input; see `Inputs`."""
    return _of(spec.task).prepare_inputs(spec, augment)


def _image() -> Inputs:
    from components.common.tasks.image import inputs

    return inputs


def _text() -> Inputs:
    from components.common.tasks.text import inputs

    return inputs


_TASKS: Mapping[TaskName, Callable[[], Inputs]] = {"image": _image, "text": _text}


def _of(task: TaskName) -> Inputs:
    return _TASKS[task]()
