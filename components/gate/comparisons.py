"""Paired comparisons of accuracy: whole test split, classes, slices."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from components.common.documents.decision import Comparison
from components.common.statistics.noninferiority import (
    drop_lower_bound,
    drop_upper_bound,
    excess_p_value,
    holm,
    inferiority_p_value,
)
from components.gate.entrants import Correct, TestSplit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """A model that no candidate may be worse than.

    Attributes:
      name: `float32`, or `blessed <version>`.
      correct: bool [n].
      margin: largest accuracy drop to accept.
      fair: bool [n], the examples to compare on; None for all.
    """

    name: str
    correct: Correct
    margin: float
    fair: Correct | None = None

    @property
    def examples(self) -> int:
        return len(self.correct) if self.fair is None else int(np.count_nonzero(self.fair))

    def pairs(self, candidate: Correct, members: Correct | None = None) -> "Pairs":
        """Compares with a candidate on the fair examples, or on those of them that are members."""
        chosen = np.ones_like(self.correct) if self.fair is None else self.fair
        if members is not None:
            chosen = chosen & members
        return count_pairs(self.correct[chosen], candidate[chosen])


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Examples that one of two models alone gets right, among so many."""

    lost: int
    gained: int
    examples: int

    @property
    def drop(self) -> float:
        return (self.lost - self.gained) / self.examples

    @property
    def discordance(self) -> float:
        return (self.lost + self.gained) / self.examples


def count_pairs(reference: Correct, candidate: Correct) -> Pairs:
    return Pairs(
        lost=int(np.count_nonzero(reference & ~candidate)),
        gained=int(np.count_nonzero(~reference & candidate)),
        examples=len(reference),
    )


def compare_with(
    reference: Reference, candidates: Mapping[str, Correct], *, alpha: float
) -> dict[str, Comparison]:
    """Tests each candidate for non-inferiority.

    The chance that any candidate passes which is worse than the margin is alpha at most.
    """
    pairs = {id_: reference.pairs(correct) for id_, correct in candidates.items()}
    steps = holm(
        {
            id_: inferiority_p_value(
                pair.lost, pair.gained, examples=pair.examples, margin=reference.margin
            )
            for id_, pair in pairs.items()
        },
        alpha=alpha,
    )
    return {
        id_: Comparison(
            reference=reference.name,
            examples=pair.examples,
            drop=pair.drop,
            upper_bound=drop_upper_bound(
                pair.lost, pair.gained, examples=pair.examples, alpha=steps[id_].alpha
            ),
            margin=reference.margin,
            alpha=steps[id_].alpha,
            passed=steps[id_].rejected,
        )
        for id_, pair in pairs.items()
    }


def find_losses(
    candidate: Correct,
    references: Sequence[Reference],
    split: TestSplit,
    *,
    class_drop: float | None,
    slice_drop: float | None,
    alpha: float,
) -> tuple[Comparison, ...]:
    """Returns the classes and slices in which a candidate is proven worse than the margin.

    The chance that any is named in which it is not, is alpha at most: Holm over the
    classes and slices of all references.
    """
    margins, pairs = {}, {}
    for reference in references:
        for group, members, margin in _groups(split, class_drop, slice_drop):
            name = f"{reference.name}, {group}"
            pair = reference.pairs(candidate, members)
            if pair.examples:
                margins[name], pairs[name] = margin, pair
    steps = holm(
        {
            name: excess_p_value(
                pair.lost, pair.gained, examples=pair.examples, margin=margins[name]
            )
            for name, pair in pairs.items()
        },
        alpha=alpha,
    )
    return tuple(
        Comparison(
            reference=name,
            examples=pair.examples,
            drop=pair.drop,
            upper_bound=drop_upper_bound(
                pair.lost, pair.gained, examples=pair.examples, alpha=steps[name].alpha
            ),
            lower_bound=drop_lower_bound(
                pair.lost, pair.gained, examples=pair.examples, alpha=steps[name].alpha
            ),
            margin=margins[name],
            alpha=steps[name].alpha,
            passed=False,
        )
        for name, pair in pairs.items()
        if steps[name].rejected
    )


def _groups(
    split: TestSplit, class_drop: float | None, slice_drop: float | None
) -> Iterator[tuple[str, Correct, float]]:
    """Yields name, members (bool [n]) and margin of each class and slice to judge."""
    if class_drop is not None:
        for label in np.unique(split.labels):
            yield f"class {split.class_names[label]}", split.labels == label, class_drop
    if slice_drop is not None:
        for slice_ in np.unique(split.slices):
            if slice_:
                yield f"slice {slice_.decode()}", split.slices == slice_, slice_drop
