"""Examples that are nearly the same, in two splits or under two labels.

A picture saved anew is not the same to a model, and still gives a test split away. Comparing each
with each takes too long; so examples are sorted by keys of their sketches, once for every table,
and each is compared with the few that come to lie beside it. The time is that of sorting, and the
memory some 40 bytes for an example. What is found is told, and nothing is left out for it: whether
two pictures of a burst are one, only a person can say.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import SPLITS, TaskName
from components.common.documents.near_copies import NearCopies, NearCopy, Placed
from components.common.tasks.likeness import Likeness, likeness_of
from components.common.tasks.sketched import Keys, Sketches
from components.preprocess.shard_index import IndexReader
from components.preprocess.tasks import ShardTask

_NEIGHBOURS = 8
_AT_ONCE = 1 << 18
"""Pairs that are compared at once."""
_CANDIDATES = 100_000
"""Pairs whose sketches are looked at."""
_TOLD = 50
"""Pairs of each sort."""
ReadIndex = Callable[[str], IndexReader]
"""Reads the index of a shard, given the shard's path."""

_Rows = npt.NDArray[np.int64]


def find_near_copies(
    task: TaskName, shards: Sequence[ShardTask], read_index: ReadIndex
) -> NearCopies:
    """Compares the examples of all shards.

    Args:
      task: whose examples these are.
      shards: all of them, whole.
      read_index: reads the index of one, and is called at most twice for each.
    """
    likeness = likeness_of(task)
    examples = _Examples(shards, read_index)
    keys = examples.read_keys(likeness)
    pairs = _candidates(keys, examples, likeness)
    alike = examples.look_at(pairs, likeness)
    found = sorted(
        (examples.pair(*pair) for pair in alike),
        key=lambda pair: (not pair.in_two_splits, pair.other.path, pair.one.path),
    )
    return NearCopies(
        in_two_splits=sum(pair.in_two_splits for pair in found),
        with_two_labels=sum(pair.has_two_labels for pair in found),
        pairs=_first_of_each_sort(found),
    )


def _first_of_each_sort(found: Sequence[NearCopy]) -> tuple[NearCopy, ...]:
    parted = [pair for pair in found if pair.in_two_splits]
    contradicting = [pair for pair in found if pair.has_two_labels]
    told = [*parted[:_TOLD], *contradicting[:_TOLD]]
    return tuple(pair for pair in found if pair in told)


class _Examples:
    """All examples, known by their row: one after the other, shard by shard.

    Args:
      shards: which hold them.
      read_index: reads the index of one.
    """

    def __init__(self, shards: Sequence[ShardTask], read_index: ReadIndex) -> None:
        self._shards, self._read_index = shards, read_index
        self._places: list[_Rows] = []
        """Of each shard, which of its members are examples."""
        self._starts = np.zeros(0, np.int64)
        self.splits = np.zeros(0, np.uint8)
        self.labels = np.zeros(0, np.uint32)

    def read_keys(self, likeness: Likeness) -> Keys:
        """Reads the keys of all examples, and where these stand."""
        keys, splits, labels = [], [], []
        for shard in self._shards:
            index = self._read_index(shard.path)
            places = index.examples()
            self._places.append(places)
            if len(places):
                keys.append(likeness.keys(index.sketches_of(places)))
            splits.append(np.full(len(places), SPLITS.index(shard.split), np.uint8))
            labels.append(index.labels_of(places))
        self._starts = np.cumsum([0, *map(len, self._places)])
        self.splits, self.labels = np.concatenate(splits), np.concatenate(labels)
        return np.concatenate(keys)

    def look_at(self, pairs: _Rows, likeness: Likeness) -> list[list[int]]:
        """Returns those pairs that are nearly, but not quite, the same."""
        if not len(pairs):
            return []
        rows = np.unique(pairs)
        sketches, digests = self._read(rows)
        one, other = np.searchsorted(rows, pairs.T)
        alike = likeness.are_alike(sketches[one], sketches[other]) & (
            digests[one] != digests[other]
        )
        found: list[list[int]] = pairs[alike].tolist()
        return found

    def pair(self, row: int, other: int) -> NearCopy:
        return NearCopy(one=self._placed(row), other=self._placed(other))

    def _placed(self, row: int) -> Placed:
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        shard = self._shards[number]
        member = shard.members[self._places[number][row - self._starts[number]]]
        return Placed(
            id=member.id,
            path=member.path,
            label=member.label,
            split=shard.split,
            shard=shard.path,
        )

    def _read(self, rows: _Rows) -> tuple[Sketches, npt.NDArray[np.void]]:
        """Reads sketches and digests of some examples; the shards of others are left alone."""
        numbers = np.searchsorted(self._starts, rows, "right") - 1
        sketches, digests = [], []
        for number in np.unique(numbers):
            own = rows[numbers == number] - self._starts[number]
            index = self._read_index(self._shards[number].path)
            places = self._places[number][own]
            sketches.append(index.sketches_of(places))
            digests.append(index.digests_of(places))
        return np.concatenate(sketches), np.concatenate(digests)


def _candidates(keys: Keys, examples: _Examples, likeness: Likeness) -> _Rows:
    """Returns pairs that are worth a look: int64 [pairs, 2], the earlier example first."""
    found: dict[tuple[int, int], None] = {}
    for table in keys.T:
        order = np.argsort(table, kind="stable")
        for one, other in _neighbours(order):
            parted = (examples.splits[one] != examples.splits[other]) | (
                examples.labels[one] != examples.labels[other]
            )
            one, other = one[parted], other[parted]
            alike = likeness.may_be_alike(keys[one], keys[other])
            pairs = np.sort(np.stack((one[alike], other[alike]), axis=1), axis=1)
            found |= dict.fromkeys(map(tuple, pairs.tolist()))
            if len(found) >= _CANDIDATES:
                return np.array(list(found), np.int64)
    return np.array(list(found), np.int64).reshape(-1, 2)


def _neighbours(order: _Rows) -> Iterator[tuple[_Rows, _Rows]]:
    """Yields each example with each of the next few in an order, in parts."""
    for step in range(1, _NEIGHBOURS + 1):
        one, other = order[:-step], order[step:]
        for start in range(0, len(one), _AT_ONCE):
            yield one[start : start + _AT_ONCE], other[start : start + _AT_ONCE]
