"""The facet by which examples are made up, for a model that is only tried."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from components.common.documents.dataset import Split, TaskName


class Trial(Protocol):
    """What the facet of a task looks like."""

    def draw_examples(
        self, list_file: Path, per_class: Mapping[Split, int], /, *, like: Any
    ) -> None:
        """Writes noise in two classes, and the list that names it, as `data.list` reads it.

        Args:
          list_file: where the list goes.
          per_class: how many examples of each class a split has.
          like: what the recipe says of its data.
        """


def trial_of(task: TaskName) -> Trial:
    """Returns how a task's models are tried."""
    return _TASKS[task]()


def _image() -> Trial:
    from components.common.tasks.image import trial

    return trial


def _text() -> Trial:
    from components.common.tasks.text import trial

    return trial


_TASKS: Mapping[TaskName, Callable[[], Trial]] = {"image": _image, "text": _text}
