"""Examples that are nearly the same, in two splits or under two labels.

A picture saved anew is not the same to a model, and still gives a test split away. Comparing each
with each takes too long; so examples are sorted by keys of their sketches, once for every table,
and each is compared with the few that come to lie beside it. The time is that of sorting.

Of a pair in two splits the example of the later one, of train, validation and test, is left out,
unless the earlier one is itself. Nothing moves to another split for it, so that a chain of
examples, each of which is nearly the same as the next, draws no others after it; and no training
shard is written again.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from components.common.documents.dataset import SPLITS, TaskName
from components.common.documents.near_copies import NO_NEAR_COPIES, NearCopies, NearCopy
from components.common.documents.rejects import Reject
from components.common.tasks.likeness import Likeness, likeness_of
from components.preprocess.shard_index import Rows
from components.preprocess.sketched import SketchedExamples

_NEIGHBOURS = 8
_AT_ONCE = 1 << 18
"""Pairs whose keys are compared at once."""
_LOOKED_AT_ONCE = 1 << 11
"""Pairs whose sketches are: for more, each step takes memory that is new to the process."""
_CANDIDATES = 1 << 22
"""Pairs from which on no further tables are sorted by."""
_TOLD = 50
"""Pairs of each sort: examples are in shards by their digests, so these are any."""


@dataclasses.dataclass(frozen=True)
class NearlySame:
    """What a comparison of all examples found."""

    document: NearCopies = NO_NEAR_COPIES
    left_out: frozenset[str] = frozenset()
    """Ids of the examples that are nearly the same as one of an earlier split."""
    rejects: tuple[Reject, ...] = ()
    """The same, by path."""


def find_near_copies(task: TaskName, examples: SketchedExamples, *, leave_out: bool) -> NearlySame:
    """Compares all examples of a data set.

    Args:
      task: whose examples these are.
      examples: all of them.
      leave_out: whether examples are left out that are nearly the same as one of an earlier split.
    """
    likeness = likeness_of(task)
    pairs = _look_at(_candidates(examples, likeness), examples, likeness)
    one, other = pairs.T
    out = np.zeros(len(examples.splits), bool)
    for split in range(1, len(SPLITS)) if leave_out else ():
        # In their order, as what is left out itself leaves nothing out.
        later = (examples.splits[other] == split) & (examples.splits[one] < split) & ~out[one]
        out[other[later]] = True
    parted = np.flatnonzero((examples.splits[one] != examples.splits[other]) & ~out[one])
    contradicting = np.flatnonzero(examples.labels[one] != examples.labels[other])
    _, firsts = np.unique(other[parted], return_index=True)

    def rank(number: int) -> tuple[str, str]:
        return examples.path(other[number]), examples.path(one[number])

    # The first of their shards, where ids are in order: some of all, and told by path.
    told = sorted(parted[firsts][:_TOLD], key=rank)
    others = sorted(contradicting[:_TOLD], key=rank)
    told += [number for number in others if number not in told]
    document = NearCopies(
        in_two_splits=len(parted),
        left_out=int(out.sum()),
        with_two_labels=len(contradicting),
        pairs=tuple(
            NearCopy(one=examples.place(one[number]), other=examples.place(other[number]))
            for number in told
        ),
    )
    if not leave_out:
        return NearlySame(document)
    reasons = [
        (examples.place(other[number]), examples.place(one[number])) for number in parted[firsts]
    ]
    return NearlySame(
        document,
        frozenset(later.id for later, _ in reasons),
        tuple(
            Reject(
                later.path,
                "near_copy",
                f"nearly the same as {kept.path}, in the {kept.split} split",
            )
            for later, kept in reasons
        ),
    )


def _look_at(pairs: Rows, examples: SketchedExamples, likeness: Likeness) -> Rows:
    """Returns those pairs that are nearly, but not quite, the same: int64 [pairs, 2]."""
    if not len(pairs):
        return pairs
    looked_at = np.zeros(len(examples.splits), bool)
    looked_at[pairs] = True
    rows = np.flatnonzero(looked_at)
    sketches, digests = examples.read(rows)
    found = []
    for start in range(0, len(pairs), _LOOKED_AT_ONCE):
        own = pairs[start : start + _LOOKED_AT_ONCE]
        one, other = np.searchsorted(rows, own.T)
        alike = likeness.are_alike(sketches[one], sketches[other])
        found.append(own[alike & (digests[one] != digests[other])])
    return np.concatenate(found)


def _candidates(examples: SketchedExamples, likeness: Likeness) -> Rows:
    """Returns pairs that are worth a look, ascending: int64 [pairs, 2], the earlier one first."""
    found = np.empty(0, np.int64)
    for table in examples.keys.T:
        if len(found) < _CANDIDATES:
            order = np.argsort(table, kind="stable")
            found = np.sort(np.concatenate([found, *_beside(order, examples, likeness)]))
            found = found[np.diff(found, prepend=-1) > 0]  # `unique` takes five times as long.
    return np.stack((found >> 32, found & 0xFFFFFFFF), axis=1)


def _beside(order: Rows, examples: SketchedExamples, likeness: Likeness) -> Iterator[Rows]:
    """Yields pairs that are worth a look and near each other in an order, each as one number."""
    keys, splits, labels = examples.keys[order], examples.splits[order], examples.labels[order]
    for one, other in _neighbours(len(order)):
        parted = (splits[one] != splits[other]) | (labels[one] != labels[other])
        alike = parted & likeness.may_be_alike(keys[one], keys[other])
        first, second = order[one][alike], order[other][alike]
        yield np.minimum(first, second) << 32 | np.maximum(first, second)


def _neighbours(count: int) -> Iterator[tuple[slice, slice]]:
    """Yields where each of so many and each of the next few after it are, in parts."""
    for step in range(1, _NEIGHBOURS + 1):
        for start in range(0, count - step, _AT_ONCE):
            end = min(start + _AT_ONCE, count - step)
            yield slice(start, end), slice(start + step, end + step)
