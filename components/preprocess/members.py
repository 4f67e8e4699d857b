"""What goes into a shard and what is told of it, apart from the code that writes it.

That code loads NumPy and Pillow; an answer from the store takes neither.
"""

import dataclasses

from components.common.tasks.image.preparation.spec import PictureNote, PictureProblem

_STRICT = {"extra": "forbid"}
"""For pydantic, as these are parts of a document: no unknown field is passed over."""


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """An example to be."""

    id: str
    """SHA-256 of the file's bytes."""
    path: str
    """Relative to the source's root."""
    label: int
    """Index into the source's class names."""
    slice: str


@dataclasses.dataclass(frozen=True, slots=True)
class MemberReject:
    """A member that turned out to be no usable picture."""

    __pydantic_config__ = _STRICT

    id: str
    reason: PictureProblem
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class MemberNote:
    """What is odd about a member that became an example."""

    __pydantic_config__ = _STRICT

    id: str
    kind: PictureNote
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class ShardContent:
    """What was written into a shard."""

    __pydantic_config__ = _STRICT

    examples_per_class: tuple[int, ...]
    rejects: tuple[MemberReject, ...]
    notes: tuple[MemberNote, ...]
    pictures: tuple[str, ...]
    """A digest of each example's picture as it was encoded, in their order."""
    not_square: int
    """How many examples were not about as high as wide before they were fitted."""
    histogram: tuple[tuple[int, ...], ...]
    """Per channel, how many pixels have each of the 256 intensities; before encoding.
    Zeros where they were not counted."""
