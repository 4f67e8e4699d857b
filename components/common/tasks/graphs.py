"""The facet by which a bundle's document becomes the graph that it names."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from components.common.documents.bundle import AnyArchitecture, ModelInput
from components.common.documents.dataset import ExampleSpec, TaskName


class Graphs(Protocol):
    """What the facet of a task looks like."""

    def build_classifier(
        self, architecture: Any, spec: Any, classes: int, /, *, precision: str = "float32"
    ) -> Any:
        """Returns a classifier with fresh weights; see the function of this name."""

    def input_spec(self, architecture: Any, examples: Any, /) -> Any:
        """Returns what a graph expects of the examples of a data set: a ModelInput."""

    def adapt_input(self, model: Any, own: Any, other: Any, /) -> Any:
        """Returns a model for examples that are prepared in another way than its own."""


def build_classifier(
    architecture: AnyArchitecture, spec: ModelInput, classes: int, *, precision: str = "float32"
) -> Any:
    """Returns a classifier with fresh weights.

    Its layers have the same names in every process, whatever was built before.

    Args:
      architecture: what the graph is built from.
      spec: what is given to it.
      classes: how many there are.
      precision: Keras' policy for the layers, such as `mixed_bfloat16`.

    Returns:
      A flat functional model: one tensor [n, ...], prepared as `spec` says, to probabilities
      float32 [n, classes].

    Raises:
      ValueError: there is no such graph.
    """
    return _of(spec.task).build_classifier(architecture, spec, classes, precision=precision)


def input_spec(architecture: AnyArchitecture, examples: ExampleSpec) -> ModelInput:
    """Returns what a graph expects of the examples of a data set."""
    found: ModelInput = _of(examples.task).input_spec(architecture, examples)
    return found


def adapt_input(model: Any, own: ModelInput, other: ModelInput) -> Any:
    """Returns a model for examples that are prepared in another way than its own.

    Args:
      model: flat and functional, each layer called once; its layers are taken over.
      own: how examples are prepared for it.
      other: how they are prepared instead, at the same size.

    Returns:
      The model itself where both are the same, else a flat model with the same outputs.
    """
    return _of(own.task).adapt_input(model, own, other)


def _image() -> Graphs:
    from components.common.tasks.image import graphs

    return graphs


def _text() -> Graphs:
    from components.common.tasks.text import graphs

    return graphs


_TASKS: Mapping[TaskName, Callable[[], Graphs]] = {"image": _image, "text": _text}


def _of(task: TaskName) -> Graphs:
    return _TASKS[task]()
