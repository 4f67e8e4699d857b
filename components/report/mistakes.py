"""Examples that float32 gets right and a compressed candidate wrong."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from components.common.data.predictions import Predictions, join_by_id
from components.common.statistics.metrics import predicted_classes
from components.common.tasks.told import Shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    label: int
    probability: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """One test example, with the true label and what both models say."""

    id: str
    label: int
    before: Answer
    after: Answer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistakes:
    candidate_id: str
    lost: int
    """Examples that float32 gets right and the candidate wrong."""
    gained: int
    """The other way round."""
    shown: tuple[Mistake, ...]
    """Of the lost ones, those of which the candidate is surest."""

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(mistake.id for mistake in self.shown)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownMistake:
    """A mistake with its example and names in place of numbers."""

    example: Shown
    label: str
    before: str
    before_probability: float
    after: str
    after_probability: float


def find_mistakes(
    before: Predictions, after: Predictions, *, candidate_id: str, limit: int
) -> Mistakes:
    """Compares two candidates' answers, joined by example id.

    Args:
      before: float32's predictions.
      after: the candidate's.
      candidate_id: its id.
      limit: how many mistakes to name.
    """
    rows_before, rows_after = join_by_id(before, after)
    labels = before.labels[rows_before]
    sure_before, sure_after = before.probabilities[rows_before], after.probabilities[rows_after]
    said_before, said_after = predicted_classes(sure_before), predicted_classes(sure_after)
    right_before, right_after = said_before == labels, said_after == labels
    lost = np.flatnonzero(right_before & ~right_after)
    surest = sorted(lost, key=lambda row: -sure_after[row].max())[:limit]
    return Mistakes(
        candidate_id=candidate_id,
        lost=len(lost),
        gained=int(np.count_nonzero(~right_before & right_after)),
        shown=tuple(
            Mistake(
                id=before.ids[rows_before[row]].decode(),
                label=int(labels[row]),
                before=Answer(
                    label=int(said_before[row]), probability=float(sure_before[row].max())
                ),
                after=Answer(label=int(said_after[row]), probability=float(sure_after[row].max())),
            )
            for row in surest
        ),
    )


def show_mistakes(
    mistakes: Mistakes, examples: Mapping[str, Shown], class_names: tuple[str, ...]
) -> tuple[ShownMistake, ...]:
    """Joins mistakes with their examples.

    Args:
      mistakes: what to show.
      examples: by id.
      class_names: the manifest's.
    """
    return tuple(
        ShownMistake(
            example=examples[mistake.id],
            label=class_names[mistake.label],
            before=class_names[mistake.before.label],
            before_probability=mistake.before.probability,
            after=class_names[mistake.after.label],
            after_probability=mistake.after.probability,
        )
        for mistake in mistakes.shown
        if mistake.id in examples
    )
