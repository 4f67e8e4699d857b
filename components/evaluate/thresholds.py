"""Scores below which `unknown` is the better answer.

A classifier that may decline answers fewer examples, and is right on more of those that it answers.
Which share it answers is its coverage. The scores are chosen on the validation split, by what the
model gives there; what comes of them is counted on the test split, by what the file gives.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import Predictions
from components.common.documents.evaluation import Threshold
from components.common.statistics.metrics import predicted_classes, share_estimate

_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
"""For each of these, the score that leaves as many of the validation examples answered."""
_DIGITS = 1e4
"""Scores have so many steps, so that the one that is told is the one that was counted with."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def assess_thresholds(
    predictions: Predictions, validation: Predictions, *, accuracy: float | None
) -> Iterator[Threshold]:
    """Yields what comes of some scores, the lowest first.

    Args:
      predictions: on the test split.
      validation: on the validation split, by which the scores are chosen.
      accuracy: asked of the answers that are given; the lowest score that has it there is among
        those yielded, unless none has.
    """
    if not len(validation):
        return
    chosen = None if accuracy is None else _choose(validation, accuracy)
    scores = {_score_for(validation, coverage) for coverage in _COVERAGES}
    for score in sorted(scores if chosen is None else {*scores, chosen}):
        known, right = _answers(validation, score)
        tested, proven = _answers(predictions, score)
        yield Threshold(
            score=score,
            chosen=score == chosen,
            validation_coverage=float(known.mean()),
            validation_accuracy=float(right[known].mean()) if known.any() else None,
            coverage=float(tested.mean()),
            accuracy=share_estimate(int(proven[tested].sum()), int(tested.sum())),
        )


def _score_for(validation: Predictions, coverage: float) -> float:
    """Returns the highest score at which at least so many examples are answered."""
    scores = np.sort(_top(validation))[::-1]
    last = math.ceil(coverage * len(scores)) - 1
    return float(_floor(scores[last])) if coverage < 1 else 0.0


def _choose(validation: Predictions, accuracy: float) -> float | None:
    """Returns the lowest score of which the answers are so accurate, None where none's are."""
    _, right = _answers(validation, 0.0)
    scores, place = np.unique(_floor(_top(validation)), return_inverse=True)
    answered, hits = (np.bincount(place, weights)[::-1].cumsum()[::-1] for weights in (None, right))
    enough = np.flatnonzero(hits >= accuracy * answered)
    if not len(enough):
        return None
    return float(scores[enough[0]]) if enough[0] else 0.0


def _answers(predictions: Predictions, score: float) -> tuple[Bools, Bools]:
    """Returns which examples are answered at a score, and which are right."""
    right = predicted_classes(predictions.probabilities) == predictions.labels
    return _top(predictions) >= score, right


def _top(predictions: Predictions) -> Floats:
    return np.asarray(predictions.probabilities.max(axis=1), np.float64)


def _floor(scores: Floats) -> Floats:
    return np.asarray(np.floor(scores * _DIGITS) / _DIGITS)
