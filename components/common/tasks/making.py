"""The facet by which a source's files become the records of shards.

What every example becomes is a plan: plain values of a task's own, which travel to workers and name
shards. All that this facet reaches decides about a shard's bytes, and is part of its name.
"""

import dataclasses
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

    def decode_example(self, record: bytes, /) -> Any:
        """Parses a record into the task's own dataclass, which has an id, a label and a slice.

        Raises:
          ValueError: it is no such example.
        """

    def encode_example(self, example: Any, /) -> bytes:
        """Returns the record that a maker makes of an example."""


def open_maker(plan: Plan, *, with_statistics: bool) -> Maker:
    """Returns what makes the examples of a shard; see `Making`."""
    return _of(plan).open_maker(plan, with_statistics=with_statistics)


def relabel(record: bytes, *, plan: Plan, id: str, label: int, slice: str) -> bytes:
    """Returns the record that a maker makes of the same file under a label and a slice.

    Raises:
      ValueError: the record is of another file.
    """
    making = _of(plan)
    example = making.decode_example(record)
    if example.id != id:
        raise ValueError(f"a record is of the example {example.id}, not of {id}")
    if (example.label, example.slice) == (label, slice):
        return record
    return making.encode_example(dataclasses.replace(example, label=label, slice=slice))


def _image() -> Making:
    from components.common.tasks.image import making

    return making


def _text() -> Making:
    from components.common.tasks.text import making

    return making


_TASKS: Mapping[str, Callable[[], Making]] = {"image": _image, "text": _text}


def _of(plan: Plan) -> Making:
    return _TASKS[plan.task]()
