"""Where the bytes of a record lie, if they are no file of their own.

A container is a file of the source that holds many records: a tar, a TFRecord file, a Parquet
file. A place in it is what finds one record's bytes again, without what lies before them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Bytes that lie in a container as they are."""

    file: str
    """Relative to the source's root, as all paths."""
    offset: int
    length: int


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class Cell:
    """A value of a table that is stored in groups of rows, each packed as a whole.

    Cells are ordered as they lie in their files.
    """

    file: str
    column: str
    """Of a value within another one: `image.bytes`."""
    group: int
    row: int
    """Within its group."""


Place = Span | Cell
_KINDS: Mapping[str, type[Place]] = {"span": Span, "cell": Cell}


def tell_place(place: Place | None) -> list[object] | None:
    """Returns a place as values that JSON has."""
    if place is None:
        return None
    return [type(place).__name__.lower(), *dataclasses.astuple(place)]


def read_place(told: list[object] | None) -> Place | None:
    """Returns the place that was told."""
    if told is None:
        return None
    kind, *fields = told
    return _KINDS[str(kind)](*fields)  # type: ignore[arg-type]


def is_remote(location: str) -> bool:
    """Tells whether a location is an address, not a path of this machine."""
    return "://" in location


class Placed(Protocol):
    """What a source's reader asks of a record."""

    @property
    def path(self) -> str: ...

    @property
    def place(self) -> Place | None: ...

    @property
    def text(self) -> str | None: ...
