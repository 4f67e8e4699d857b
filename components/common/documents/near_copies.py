"""Which examples are nearly the same, though they come from two splits or have two labels."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from components.common.documents.base import Document, Part
from components.common.documents.dataset import DatasetManifest, Shard, Split
from components.common.documents.placed import Placed

Treatment = Literal["leave_out", "keep"]
"""What becomes of an example that is nearly the same as one of an earlier split."""


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
    left_out: int = 0
    """How many examples were left out, so that none of these pairs is in two splits any more."""
    with_two_labels: int
    """How many pairs were found; some are in two splits, too."""
    pairs: tuple[NearCopy, ...]
    """The first of them, those in two splits before others, one for each of the later examples."""
    shards: Mapping[Split, tuple[Shard, ...]] = {}
    """Those that hold examples of these pairs and are not in the manifest: what is left out of a
    data set stands in none of its own."""

    def beside(self, manifest: DatasetManifest) -> DatasetManifest:
        """Returns the manifest of a data set from which nothing named here is left out."""
        splits = {
            split: own.model_copy(update={"shards": (*own.shards, *self.shards.get(split, ()))})
            for split, own in manifest.splits.items()
        }
        return manifest.model_copy(update={"splits": splits})


NO_NEAR_COPIES = NearCopies(in_two_splits=0, with_two_labels=0, pairs=())
