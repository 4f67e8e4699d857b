"""What a task makes of a record: values that know neither the task nor who asked.

What is counted while examples are made is whole numbers by name, which add up: those of shards to
those of a data set.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.rejects import NoteKind, Reason

Counts = Mapping[str, Sequence[int]]
"""Name -> numbers, always as many under one name."""

Widths = Mapping[str, int]
"""Name -> how many numbers are counted under it."""


class Unusable(Exception):
    """A member that can't become an example; the message says why.

    Attributes:
      reason: what sort of why.
    """

    def __init__(self, reason: Reason, detail: str):
        super().__init__(detail)
        self.reason: Reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """An example."""

    record: bytes
    """The serialized tf.train.Example."""
    digest: str
    """Of what a model will see of it; in hexadecimal."""
    counts: Sequence[int]
    """What was counted of it: the numbers of all names, one name's after the other's. Zeros at
    the end may be left out."""
    sketch: bytes
    """What it is like, see `tasks/sketched.py`; as long for every example."""
    notes: tuple[tuple[NoteKind, str], ...] = ()
    """What is odd about it, and how."""
