"""The facet by which evaluate tells small examples from large ones, where the sizes differ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from components.common.data.examples import Labelled
from components.common.documents.dataset import DatasetManifest, TaskName


class Sizes(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ExampleSpec."""

    def name_sizes(self, spec: Any, /) -> Sequence[str]:
        """Returns the sizes that are told apart, the smallest first; none where all are alike."""

    def size_of(self, example: Any, spec: Any, /) -> int:
        """Returns the index of an example's size among these names."""


def name_sizes(manifest: DatasetManifest) -> Sequence[str]:
    """Returns the sizes of a data set's examples, the smallest first; see `Sizes`."""
    return _TASKS[manifest.task]().name_sizes(manifest.spec)


def size_of(example: Labelled, manifest: DatasetManifest) -> int:
    """Returns the index of an example's size; see `Sizes`."""
    return _TASKS[manifest.task]().size_of(example, manifest.spec)


def _image() -> Sizes:
    from components.common.tasks.image import sizes

    return sizes


def _text() -> Sizes:
    from components.common.tasks.text import sizes

    return sizes


_TASKS: Mapping[TaskName, Callable[[], Sizes]] = {"image": _image, "text": _text}
