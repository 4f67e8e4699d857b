"""The facet by which a file's metadata tell what goes into it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from components.common.documents.dataset import ExampleSpec, TaskName
from components.common.lite.metadata import InputCard


class Metadata(Protocol):
    """What the facet of a task looks like; a `spec` is the task's own ExampleSpec."""

    EXAMPLES: str
    """What a model classifies: `pictures`."""

    def trace_model(self, architecture: Any, spec: Any, /) -> Mapping[str, Any]:
        """Returns what a model's lineage says of its graph, and of how examples were made."""

    def describe_input(self, spec: Any, dataset: Path, /) -> InputCard:
        """Returns what the metadata tell of a model's inputs.

        Args:
          spec: how examples lie in the shards.
          dataset: the folder of their manifest.
        """


def metadata_of(spec: ExampleSpec) -> Metadata:
    """Returns how models of a task are described."""
    return _TASKS[spec.task]()


def _image() -> Metadata:
    from components.common.tasks.image import metadata

    return metadata


def _text() -> Metadata:
    from components.common.tasks.text import metadata

    return metadata


_TASKS: Mapping[TaskName, Callable[[], Metadata]] = {"image": _image, "text": _text}
