"""All examples of a data set as the indexes of its shards tell of them, in arrays.

They are known by their row: one after the other, shard by shard. What is kept of each is some 80
bytes; sketches are read again where they are looked at.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import SPLITS, TaskName
from components.common.documents.placed import Placed
from components.common.tasks.likeness import likeness_of
from components.common.tasks.sketched import Keys, Sketches, Traits
from components.common.tasks.traits import traits_of
from components.preprocess.members import Listed
from components.preprocess.shard_index import IndexReader, Rows
from components.preprocess.tasks import ShardTask

ReadIndex = Callable[[str], IndexReader]
"""Reads the index of a shard, given the shard's path."""


@dataclasses.dataclass(frozen=True, eq=False)
class SketchedExamples:
    """The examples of a data set."""

    keys: Keys
    traits: Traits
    """And what they are in words, as code_words has it."""
    splits: npt.NDArray[np.uint8]
    """The index into SPLITS."""
    labels: npt.NDArray[np.uint32]
    _shards: Sequence[ShardTask]
    _places: Sequence[Rows]
    """Of each shard, which of its members are examples."""
    _starts: Rows
    """The first row of each shard."""
    _read_index: ReadIndex

    def place(self, row: int) -> Placed:
        """Tells where an example stands."""
        shard, member = self._find(row)
        return Placed(
            id=member.id,
            path=member.path,
            label=member.label,
            split=shard.split,
            shard=shard.path,
        )

    def path(self, row: int) -> str:
        """Returns an example's path in the source."""
        return self._find(row)[1].path

    def _find(self, row: int) -> tuple[ShardTask, Listed]:
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        shard = self._shards[number]
        return shard, shard.members[self._places[number][row - self._starts[number]]]

    def read(self, rows: Rows) -> tuple[Sketches, npt.NDArray[np.void]]:
        """Reads sketches and digests of some examples; the shards of others are left alone.

        Args:
          rows: ascending, at least one.
        """
        numbers = np.searchsorted(self._starts, rows, "right") - 1
        sketches, digests = [], []
        for number in np.unique(numbers):
            own = rows[numbers == number] - self._starts[number]
            index = self._read_index(self._shards[number].path)
            places = self._places[number][own]
            sketches.append(index.sketches_of(places))
            digests.append(index.digests_of(places))
        return np.concatenate(sketches), np.concatenate(digests)


def read_sketched(
    task: TaskName,
    shards: Sequence[ShardTask],
    read_index: ReadIndex,
    *,
    without: Collection[str] = (),
) -> SketchedExamples:
    """Reads what the indexes of all shards tell of their examples.

    Args:
      task: whose examples these are.
      shards: all of them, whole.
      read_index: reads the index of one.
      without: ids of examples to pass over; one is left at least.
    """
    likeness, traits = likeness_of(task), traits_of(task)
    keys, found, splits, labels, kept = [], [], [], [], []
    for shard in shards:
        index = read_index(shard.path)
        places = _pass_over(index.examples(), shard, without)
        kept.append(places)
        if len(places):
            sketches = index.sketches_of(places)
            keys.append(likeness.keys(sketches))
            found.append(traits.read_traits(sketches))
        splits.append(np.full(len(places), SPLITS.index(shard.split), np.uint8))
        labels.append(index.labels_of(places))
    return SketchedExamples(
        keys=np.concatenate(keys),
        traits={name: np.concatenate([own[name] for own in found]) for name in found[0]},
        splits=np.concatenate(splits),
        labels=np.concatenate(labels),
        _shards=shards,
        _places=kept,
        _starts=np.cumsum([0, *map(len, kept)]),
        _read_index=read_index,
    )


def _pass_over(places: Rows, shard: ShardTask, without: Collection[str]) -> Rows:
    if not without:
        return places
    kept = [place for place in places.tolist() if shard.members[place].id not in without]
    return np.array(kept, np.int64)
