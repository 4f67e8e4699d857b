"""The facet by which a source is looked at before anything is made of it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from components.common.documents.dataset import TaskName
from components.common.tasks.told import Description, Glimpse


class Glimpses(Protocol):
    """What the facet of a task looks like."""

    SIDES: str
    """What `Glimpse.side` counts."""

    def glimpse(self, data: bytes, settings: Any, /) -> Glimpse:
        """Returns what a file's bytes show.

        Args:
          data: of a file.
          settings: what the recipe says of how records become examples.

        Raises:
          Unusable: it can't be an example.
        """

    def describe(self, data: bytes, settings: Any, /) -> Description:
        """Returns what a schema may say of a file's bytes, without more work than that takes.

        Args:
          data: of a file.
          settings: as of `glimpse`.

        Raises:
          Unusable: it can't be an example.
        """


def glimpses_of(task: TaskName) -> Glimpses:
    """Returns what looks at a task's examples."""
    return _TASKS[task]()


def _image() -> Glimpses:
    from components.common.tasks.image import glimpses

    return glimpses


def _text() -> Glimpses:
    from components.common.tasks.text import glimpses

    return glimpses


_TASKS: Mapping[TaskName, Callable[[], Glimpses]] = {"image": _image, "text": _text}
