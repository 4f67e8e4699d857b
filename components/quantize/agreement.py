"""Whether a file answers as its model does. One may convert, load and run, and say nothing.

Both are seen on the same examples of the validation split, the file in LiteRT. How far they agree
is Lin's concordance (L. Lin, A Concordance Correlation Coefficient, 1989) over the probabilities of
all classes: 1 minus the mean squared distance between the two, as a share of what it would be if
each answer of the one met any answer of the other. It is 1 where they are equal and 0 where the one
tells nothing of the other, however often a common class makes both say the same.
"""

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import Predictions, join_by_id

EXAMPLES = 200
"""How many examples are looked at; all, where there are fewer."""

LEAST = 0.25
"""Of the concordance. On 200 examples, fewer than 1 in 1,000 files that answer at random reach it
(1 in 500 where nine of ten examples are of one class). One that keeps more than a third of its
model's answers, of nine classes, passes, and is left to the budgets."""

NO_DISTANCE = 0.1
"""Root mean square, between two answers. Within it nothing is asked: a model that is undecided
everywhere gives answers that rounding to 1/256 can reorder."""


def explain_discord(file: Predictions, model: Predictions) -> str | None:
    """Returns how a file's answers have nothing to do with its model's, None where they have.

    Args:
      file: of the examples looked at.
      model: of these at least.

    Raises:
      ValueError: the model has no predictions of some of the examples.
    """
    own_at, model_at = join_by_id(file, model)
    if len(own_at) < len(file):
        raise ValueError("the model has no predictions of some of the examples")
    own, expected = file.probabilities[own_at], model.probabilities[model_at]
    if not np.isfinite(own).all():
        return "the file was made, but gives numbers that are not finite: its arithmetic overflows"
    if _squared_distance(own, expected) <= NO_DISTANCE**2:
        return None
    found = concordance(own, expected)
    if found >= LEAST:
        return None
    same = int((own.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return (
        "the file was made, but its answers have nothing to do with the model's: they name the "
        f"same class for {same} of {len(own)} validation examples, and their concordance is "
        f"{found:.2f}, where 1 is equal, 0 is chance, and {LEAST:g} is the least"
    )


def concordance(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    """Returns Lin's concordance of two sets of answers, in [-1, 1].

    Args:
      left: probabilities [n, classes].
      right: the same of another model, [n, classes]; they are not both constant and equal.
    """
    means = left.mean(axis=0), right.mean(axis=0)
    by_chance = (
        _squared_distance(left, means[0])
        + _squared_distance(right, means[1])
        + float(((means[0] - means[1]) ** 2).sum())
    )
    return 1 - _squared_distance(left, right) / by_chance


def _squared_distance(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    return float(((left - right) ** 2).sum(axis=1).mean())
