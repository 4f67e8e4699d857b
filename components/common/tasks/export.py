"""The facet by which a trained model becomes what ships: it takes what a device has, as it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from components.common.documents.bundle import ModelInput
from components.common.documents.candidate import TensorSpec
from components.common.documents.dataset import TaskName


class Export(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ModelInput."""

    DEVICE_TYPE: Any
    """What an integer model takes in place of float32: a type of TensorFlow."""

    def export_module(self, model: Any, spec: Any, /) -> Any:
        """Wraps a model so that it takes one example as a device has it.

        Args:
          model: takes prepared examples [n, ...], gives probabilities [n, classes].
          spec: what the model expects.

        Returns:
          A tf.Module whose `serve` has an input signature: the tensors of one example.
        """

    def preparation(self, spec: Any, /) -> Sequence[Callable[[Any], Any]]:
        """Returns what an exported model does to examples before the model sees them, in steps."""

    def explain_input(self, found: TensorSpec, /) -> str | None:
        """Returns how an integer model fails to take examples as they are, None where it does."""


def export_of(spec: ModelInput) -> Export:
    """Returns how models of a task are exported."""
    return _TASKS[spec.task]()


def _image() -> Export:
    from components.common.tasks.image import export

    return export


def _text() -> Export:
    from components.common.tasks.text import export

    return export


_TASKS: Mapping[TaskName, Callable[[], Export]] = {"image": _image, "text": _text}
