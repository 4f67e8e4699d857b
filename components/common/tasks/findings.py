"""The facet by which validate finds what is odd about examples."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from components.common.documents.dataset import DatasetManifest, TaskName
from components.common.documents.oddities import Oddities
from components.common.documents.rejects import Note

Find = Callable[[], Iterable[str]]
"""Yields messages on what one check noticed."""


class Findings(Protocol):
    """What the facet of a task looks like; a check's name is its field in ValidateConfig."""

    def odd_examples(
        self, manifest: DatasetManifest, notes: Sequence[Note], oddities: Oddities, /
    ) -> Mapping[str, Find]:
        """Returns the checks of examples: name -> find."""


def findings_of(manifest: DatasetManifest) -> Findings:
    """Returns what is looked for in a task's data."""
    return _TASKS[manifest.task]()


def _image() -> Findings:
    from components.common.tasks.image import findings

    return findings


def _text() -> Findings:
    from components.common.tasks.text import findings

    return findings


_TASKS: Mapping[TaskName, Callable[[], Findings]] = {"image": _image, "text": _text}
