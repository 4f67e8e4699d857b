"""Examples that are nearly the same, in two splits or under two labels.

A picture saved anew is not the same to a model, and still gives a test split away. Comparing each
with each takes too long; so examples are sorted by keys of their sketches, once for every table,
and each is compared with the few that come to lie beside it. The time is that of sorting. What is
found is told, and nothing is left out for it: whether two pictures of a burst are one, only a
person can say.
"""

import heapq
from collections.abc import Iterator

import numpy as np

from components.common.documents.dataset import TaskName
from components.common.documents.near_copies import NearCopies, NearCopy
from components.common.tasks.likeness import Likeness, likeness_of
from components.preprocess.shard_index import Rows
from components.preprocess.sketched import SketchedExamples

_NEIGHBOURS = 8
_AT_ONCE = 1 << 18
"""Pairs that are compared at once."""
_CANDIDATES = 100_000
"""Pairs whose sketches are looked at."""
_TOLD = 50
"""Pairs of each sort."""


def find_near_copies(task: TaskName, examples: SketchedExamples) -> NearCopies:
    """Compares all examples of a data set."""
    likeness = likeness_of(task)
    pairs = _look_at(_candidates(examples, likeness), examples, likeness)
    one, other = pairs.T
    parted = examples.splits[one] != examples.splits[other]
    contradicting = examples.labels[one] != examples.labels[other]

    def rank(number: int) -> tuple[bool, str, str]:
        return not parted[number], examples.path(other[number]), examples.path(one[number])

    told = {
        number
        for found in (parted, contradicting)
        for number in heapq.nsmallest(_TOLD, np.flatnonzero(found).tolist(), key=rank)
    }
    return NearCopies(
        in_two_splits=int(parted.sum()),
        with_two_labels=int(contradicting.sum()),
        pairs=tuple(
            NearCopy(one=examples.place(one[number]), other=examples.place(other[number]))
            for number in sorted(told, key=rank)
        ),
    )


def _look_at(pairs: Rows, examples: SketchedExamples, likeness: Likeness) -> Rows:
    """Returns those pairs that are nearly, but not quite, the same: int64 [pairs, 2]."""
    if not len(pairs):
        return pairs
    rows = np.unique(pairs)
    sketches, digests = examples.read(rows)
    one, other = np.searchsorted(rows, pairs.T)
    alike = likeness.are_alike(sketches[one], sketches[other]) & (digests[one] != digests[other])
    found: Rows = pairs[alike]
    return found


def _candidates(examples: SketchedExamples, likeness: Likeness) -> Rows:
    """Returns pairs that are worth a look: int64 [pairs, 2], the earlier example first."""
    found: dict[tuple[int, int], None] = {}
    keys = examples.keys
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


def _neighbours(order: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yields each example with each of the next few in an order, in parts."""
    for step in range(1, _NEIGHBOURS + 1):
        one, other = order[:-step], order[step:]
        for start in range(0, len(one), _AT_ONCE):
            yield one[start : start + _AT_ONCE], other[start : start + _AT_ONCE]
