"""The facet by which a pretrained network becomes a classifier of the recipe's classes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from components.common.documents.bundle import AnyArchitecture
from components.common.documents.dataset import TaskName


class Tuning(Protocol):
    """What the facet of a task looks like; a `config` is what finetune is told.

    Weights are named by a text: `none`, a name for which Keras finds them itself, or a path on this
    machine.
    """

    def identify_weights(self, config: Any, /) -> str:
        """Returns what enters the key: the content of the weights, never where they lie.

        Raises:
          UserError: the weights are not there.
        """

    def fetch_weights(self, config: Any, scratch: Path, /) -> str:
        """Returns the weights, on this machine.

        Args:
          config: names them.
          scratch: a folder for files that are not on this machine's file system.

        Raises:
          UserError: the weights are not there.
        """

    def describe_architecture(self, config: Any, weights: str, /) -> AnyArchitecture:
        """Returns what the classifier's graph is built from."""

    def assign_pretrained(self, model: Any, config: Any, weights: str, /) -> None:
        """Puts pretrained weights into a classifier, all but its head.

        Raises:
          UserError: the weights can't be had, or do not fit.
        """

    def describe_classes(self, config: Any, session: Any, /) -> npt.NDArray[Any] | None:
        """Returns an example for each class that says what it is; None where nothing can.

        Args:
          config: may hold descriptions.
          session: what a model learns from, with the folder of its data set.

        Raises:
          UserError: a class is described that there is not.
        """

    def changes_examples(self, config: Any, /) -> bool:
        """Whether an example is another one in every epoch."""

    def adapt(self, model: Any, config: Any, /) -> Any:
        """Returns what learns in a model's place; the model itself, where its own layers do."""

    def rates(self, model: Any, config: Any, /) -> Mapping[str, float]:
        """Returns layer -> which share of the learning rate it has, where not all of it."""

    def merge(self, learner: Any, model: Any, /) -> None:
        """Puts what learned in a model's place into the model."""


def tuning_of(task: TaskName) -> Tuning:
    """Returns how classifiers of a task are trained."""
    return _TASKS[task]()


def _image() -> Tuning:
    from components.common.tasks.image import tuning

    return tuning


def _text() -> Tuning:
    from components.common.tasks.text import tuning

    return tuning


_TASKS: Mapping[TaskName, Callable[[], Tuning]] = {"image": _image, "text": _text}
