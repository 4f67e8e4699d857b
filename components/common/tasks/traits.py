"""The facet by which every example has a few numbers, its traits.

Data sets are compared by them, and outliers found.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from components.common.documents.dataset import TaskName
from components.common.tasks.sketched import Edges, Oddness, Sketches, Traits


class TraitReading(Protocol):
    """What the facet of a task looks like."""

    EDGES: Edges

    def read_traits(self, sketches: Sketches, /) -> Traits:
        """Returns the traits of examples, as their sketches tell them; those of EDGES."""

    def find_odd(self, traits: Traits, /) -> Oddness:
        """Returns how odd examples are, one at least."""

    def describe_odd(self, kind: str, traits: Mapping[str, float], /) -> str:
        """Says in a few words how an example of these traits is odd."""


def traits_of(task: TaskName) -> TraitReading:
    """Returns how a task's traits are read."""
    return _TASKS[task]()


def _image() -> TraitReading:
    from components.common.tasks.image import traits

    return traits


def _text() -> TraitReading:
    from components.common.tasks.text import traits

    return traits


_TASKS: Mapping[TaskName, Callable[[], TraitReading]] = {"image": _image, "text": _text}
