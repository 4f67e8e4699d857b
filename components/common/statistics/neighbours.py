"""Whether two classes are told apart by who is whose nearest neighbour.

Were two classes one, it would be chance how often an example and its nearest neighbours have the
same label. So that is counted, and then again with the labels dealt out anew, many times over
(M. Schilling, Multivariate two-sample tests based on nearest neighbors, Journal of the American
Statistical Association 81, 1986; N. Henze, A multivariate two-sample test based on the number of
nearest neighbor type coincidences, Annals of Statistics 16, 1988). The neighbours stay who they
are, so that only labels are dealt.

A pair that is not shown to differ isn't shown to be the same. So a pair is looked at only where
both classes have LEAST examples: with as few, one whose neighbours are of their own class three
times in four is found to differ some nine times in ten.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

LEAST = 20
"""Examples of a class."""
NEIGHBOURS = 3
"""Of each example."""

_COMPARED_WITH = 5
"""Other classes: those whose means are the most alike."""
_DEALS = 199
_ALPHA = 0.01

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class AlikeClasses:
    """Two classes that their neighbours don't tell apart.

    Attributes:
      one: label.
      other: label, greater.
      strangers: how many of the neighbours are of the other class than whose they are.
      neighbours: of how many.
      expected: how many would be by chance.
      pairs: int64 [n, 2]: examples of the one, and neighbours of the other, the most alike first.
    """

    one: int
    other: int
    strangers: int
    neighbours: int
    expected: float
    pairs: Rows


def find_alike_classes(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> Iterator[AlikeClasses]:
    """Yields the pairs of classes that are no nearer to themselves than chance tells.

    Args:
      features: of examples [n, units], compared by their cosine.
      labels: of the examples, [n].
    """
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    directions = features / np.maximum(norms, 1e-12)
    for pair in _pairs_to_compare(directions, labels):
        one, other = (np.flatnonzero(labels == label) for label in pair)
        if (found := _compare(directions, one, other, labels)) is not None:
            yield found


def _pairs_to_compare(
    directions: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yields the labels of pairs that may be alike: what is, has means that are."""
    names, counts = np.unique(labels, return_counts=True)
    names = names[counts >= LEAST]
    if len(names) < 2:
        return
    means = np.stack([directions[labels == name].mean(axis=0) for name in names])
    apart = np.square(means[:, None] - means).sum(axis=-1)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, 1 : _COMPARED_WITH + 1]
    pairs = {(min(n, m), max(n, m)) for n, own in enumerate(nearest.tolist()) for m in own}
    for one, other in sorted(pairs):
        yield int(names[one]), int(names[other])


def _compare(
    directions: npt.NDArray[np.float32], one: Rows, other: Rows, labels: npt.NDArray[np.int64]
) -> AlikeClasses | None:
    """Returns what is alike of two classes' rows; None where their neighbours tell them apart."""
    rows = np.concatenate([one, other])
    likeness = directions[rows] @ directions[rows].T
    np.fill_diagonal(likeness, -np.inf)  # Nobody is its own neighbour.
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    is_other = labels[rows] == labels[other[0]]
    strange = is_other[nearest] != is_other[:, None]
    total, count = nearest.size, int(strange.sum())
    expected = total * 2 * len(one) * len(other) / (len(rows) * (len(rows) - 1))
    if count < expected / 2 or _differs(is_other, nearest, count):
        return None
    places, ranks = np.nonzero(strange & ~is_other[:, None])
    neighbours = nearest[places, ranks]
    order = np.argsort(-likeness[places, neighbours], kind="stable")
    pairs = np.stack([rows[places[order]], rows[neighbours[order]]], axis=1)
    return AlikeClasses(int(labels[one[0]]), int(labels[other[0]]), count, total, expected, pairs)


def _differs(is_other: npt.NDArray[np.bool_], nearest: Rows, strangers: int) -> bool:
    """Tells whether so few strangers come about less than once in 1 / _ALPHA deals.

    The deal that was counted is one of them (B. Phipson and G. Smyth, Permutation p-values should
    never be zero, Statistical Applications in Genetics and Molecular Biology 9, 2010).
    """
    chance = np.random.default_rng(0)
    dealt = chance.permuted(np.broadcast_to(is_other, (_DEALS, len(is_other))), axis=1)
    counts = (dealt[:, nearest] != dealt[:, :, None]).sum(axis=(1, 2))
    p_value = (1 + np.count_nonzero(counts <= strangers)) / (1 + _DEALS)
    return bool(p_value <= _ALPHA)
