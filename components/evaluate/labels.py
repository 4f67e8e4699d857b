"""Labels that may be wrong, by confident learning.

An example counts for a class where its probability reaches the mean that examples labelled so have:
a class that the model is seldom sure of asks for less. What counts for another class than its
label, and most for that one, is doubtful: it is off the diagonal of the confident joint of
Northcutt, Jiang and Chuang (Confident Learning, JAIR 70, 2021). The margin ranks what is.

The validation split is asked, of which the model has learned nothing. The test split is left alone:
were only those of its labels mended that a model doubts, it would flatter that model.
"""

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import Predictions
from components.common.documents.evaluation import DoubtfulLabel, DoubtfulLabels

_SHOWN = 24


def find_doubtful_labels(validation: Predictions) -> DoubtfulLabels:
    """Returns the examples that confidently look like another class than their label.

    Args:
      validation: what a model says of examples that it has not learned from.
    """
    labels, probabilities = validation.labels, validation.probabilities.astype(np.float64)
    confident = probabilities >= _thresholds(labels, probabilities)
    likely = np.where(confident, probabilities, -1).argmax(axis=1)
    rows = np.arange(len(labels))
    own, other = probabilities[rows, labels], probabilities[rows, likely]
    # As its authors' library does, what the label is still the answer for is left alone.
    doubtful = np.flatnonzero(confident.any(axis=1) & (likely != labels) & (own < other))
    order = doubtful[np.argsort(own[doubtful] - other[doubtful], kind="stable")]
    return DoubtfulLabels(
        examples=len(order),
        shown=tuple(
            DoubtfulLabel(
                id=validation.ids[row].decode(),
                label=int(labels[row]),
                likely=int(likely[row]),
                label_probability=float(own[row]),
                likely_probability=float(other[row]),
            )
            for row in order[:_SHOWN].tolist()
        ),
    )


def _thresholds(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Returns of each class the mean probability that its own examples have; none, infinity."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(
        labels, weights=probabilities[np.arange(len(labels)), labels], minlength=classes
    )
    return np.where(counts, sums / np.maximum(counts, 1), np.inf)
