"""The facet by which examples are found that are nearly the same, by their sketches."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import TaskName
from components.common.documents.near_copies import Treatment
from components.common.tasks.sketched import Keys, Sketches


class Likeness(Protocol):
    """What the facet of a task looks like."""

    TREATMENT: Treatment
    """Of near copies, where nobody says otherwise."""

    def keys(self, sketches: Sketches, /) -> Keys:
        """Returns what examples are sorted by, to come beside those that they are like."""

    def may_be_alike(self, one: Keys, other: Keys, /) -> npt.NDArray[np.bool_]:
        """Tells of pairs, [n, tables] each, whether a look at their sketches is worth it."""

    def are_alike(self, one: Sketches, other: Sketches, /) -> npt.NDArray[np.bool_]:
        """Tells of pairs, [n, bytes] each, whether they are nearly the same."""


def likeness_of(task: TaskName) -> Likeness:
    """Returns what compares a task's examples."""
    return _TASKS[task]()


def _image() -> Likeness:
    from components.common.tasks.image import likeness

    return likeness


def _text() -> Likeness:
    from components.common.tasks.text import likeness

    return likeness


_TASKS: Mapping[TaskName, Callable[[], Likeness]] = {"image": _image, "text": _text}
