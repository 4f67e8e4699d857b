"""The facet by which preprocess knows what the files of a source are, before it reads them."""

from collections.abc import Callable, Mapping
from typing import Protocol

from components.common.documents.dataset import TaskName
from components.common.documents.rejects import NoteKind, Reason


class Sources(Protocol):
    """What the facet of a task looks like."""

    EXAMPLES: str
    """What a source holds: `pictures`."""
    HEAD_BYTES: int
    """How many of a file's first bytes tell what it is, whatever it may be."""
    SAME: tuple[NoteKind, str]
    """What is noted of examples that a model can't tell apart, and what they have in common."""
    VALUES: Mapping[str, tuple[str, ...]]
    """What a schema may say of examples in words -> the words that there are."""
    RANGES: tuple[str, ...]
    """And in numbers: the names of their traits."""

    def is_named(self, path: str, /) -> bool:
        """Tells whether a path is named like an example, unlike notes, indexes and the like."""

    def trim(self, head: bytes, /) -> bytes:
        """Returns as many of a file's first bytes as tell the same of it as all of them."""

    def examine(self, path: str, head: bytes, /) -> tuple[Reason, str] | None:
        """Returns why a file of these first bytes can't become an example, if that shows."""

    def remark(self, path: str, head: bytes, /) -> tuple[NoteKind, str] | None:
        """Returns what is odd about a file that can."""


def sources_of(task: TaskName) -> Sources:
    """Returns what a task's sources hold."""
    return _TASKS[task]()


def _image() -> Sources:
    from components.common.tasks.image import sources

    return sources


def _text() -> Sources:
    from components.common.tasks.text import sources

    return sources


_TASKS: Mapping[TaskName, Callable[[], Sources]] = {"image": _image, "text": _text}
