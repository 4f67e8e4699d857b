"""What goes into a shard and what is told of it, apart from the code that writes it.

That code loads NumPy and what opens pictures or texts; an answer from the store takes neither.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from components.common.documents.rejects import NoteKind, Reason
from components.preprocess.places import Place, Placed

_STRICT = {"extra": "forbid"}
"""For pydantic, as these are parts of a document: no unknown field is passed over."""


class Listed(Placed, Protocol):
    """What is asked of a member, whoever lists it."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> int: ...

    @property
    def slice(self) -> str: ...


class Member(NamedTuple):
    """An example to be, as its worker is told of it.

    A tuple, as all that there is one of for each example of a source: those are made three times as
    fast as frozen dataclasses.
    """

    id: str
    """SHA-256 of the file's bytes, or of the text's own."""
    path: str
    """Relative to the source's root; where a list holds the text itself, its line there."""
    label: int
    """Index into the source's class names."""
    slice: str
    text: str | None = None
    """Its content, where no file but the list holds it."""
    place: Place | None = None
    """Where its bytes lie, where they are no file of their own."""


@dataclasses.dataclass(frozen=True, slots=True)
class MemberReject:
    """A member that turned out to be unusable."""

    __pydantic_config__ = _STRICT

    id: str
    reason: Reason
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class MemberNote:
    """What is odd about a member that became an example."""

    __pydantic_config__ = _STRICT

    id: str
    kind: NoteKind
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class ShardContent:
    """What was written into a shard."""

    __pydantic_config__ = _STRICT

    examples_per_class: tuple[int, ...]
    rejects: tuple[MemberReject, ...]
    notes: tuple[MemberNote, ...]
    digests: str
    """Of what a model will see of each example, in their order: one text, a third of several."""
    counts: Mapping[str, tuple[int, ...]]
    """What was counted, by the task's own names; zeros where it was not."""
