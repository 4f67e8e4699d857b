"""The facet by which a source's files become the records of shards.

What every example becomes is a plan: plain values of a task's own, which travel to workers and name
shards. All that this facet reaches decides about a shard's bytes, and is part of its name.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from components.common.tasks.made import Made, Widths


class Plan(Protocol):
    """What every example becomes."""

    @property
    def task(self) -> str:
        """Returns whose plan it is."""

    def named_by(self) -> Mapping[str, Any]:
        """Returns what a shard's bytes depend on, as JSON values."""


class Maker(Protocol):
    """Makes examples, and counts what each of them adds to the statistics."""

    @property
    def widths(self) -> Widths:
        """Returns how much is counted."""

    def make(self, data: bytes, *, id: str, label: int, slice: str) -> Made:
        """Makes an example of a file's bytes.

        Raises:
          Unusable: it can't be.
        """


class Making(Protocol):
    """What the facet of a task looks like; a `plan` is the task's own."""

    def open_maker(self, plan: Any, /, *, with_statistics: bool) -> Maker:
        """Returns what makes the examples of a shard.

        Args:
          plan: what they become.
          with_statistics: whether what costs time is counted, too.
        """

    def relabel(self, record: bytes, /, *, id: str, label: int, slice: str) -> bytes:
        """Returns the record that a maker makes of the same file under a label and a slice.

        Raises:
          ValueError: the record is of another file.
        """


def open_maker(plan: Plan, *, with_statistics: bool) -> Maker:
    """Returns what makes the examples of a shard; see `Making`."""
    return making_of(plan).open_maker(plan, with_statistics=with_statistics)


def making_of(plan: Plan) -> Making:
    """Returns what makes the examples of a plan."""
    return _TASKS[plan.task]()


def _image() -> Making:
    from components.common.tasks.image import making

    return making


def _text() -> Making:
    from components.common.tasks.text import making

    return making


_TASKS: Mapping[str, Callable[[], Making]] = {"image": _image, "text": _text}
