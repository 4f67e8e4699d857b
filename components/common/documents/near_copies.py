"""Which examples are nearly the same, though they stand in two splits or have two labels."""

from typing import ClassVar

from components.common.documents.base import Document, Part
from components.common.documents.placed import Placed


class NearCopy(Part):
    """Two examples that are nearly the same."""

    one: Placed
    other: Placed
    """In the same split as the one, or in one that comes later of train, validation and test."""

    @property
    def in_two_splits(self) -> bool:
        return self.one.split != self.other.split

    @property
    def has_two_labels(self) -> bool:
        return self.one.label != self.other.label


class NearCopies(Document):
    """What preprocess found; beside the manifest."""

    file_name: ClassVar[str] = "near_copies.json"

    in_two_splits: int
    """How many pairs were found."""
    with_two_labels: int
    """Likewise; some are in two splits, too."""
    pairs: tuple[NearCopy, ...]
    """The first of them, those in two splits before others."""


NO_NEAR_COPIES = NearCopies(in_two_splits=0, with_two_labels=0, pairs=())
