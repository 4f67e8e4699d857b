"""How good predictions are: figures of a classifier, with 95 % confidence intervals.

Shares (accuracy, top-5 accuracy, recall) have Wilson's score interval (E. B. Wilson, JASA
22, 1927). The others have a bootstrap over the examples, whose resamples are drawn and
counted in blocks: a few passes of numpy, whatever their number.

Ranks break ties towards the lower class index, as an argmax on a device does.
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from components.common.documents.evaluation import Estimate

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_Z = NormalDist().inv_cdf(0.975)

PROBABILITY_FLOOR = 1 / 512
"""Of log loss: half of the smallest step of an int8 model's output. Below it, 0 and not 0
cannot be told apart; the same floor for every scheme keeps their figures comparable."""


def predicted_classes(probabilities: npt.NDArray[np.float32]) -> Labels:
    """Returns int64 [n]: the most probable class of each example."""
    return np.asarray(np.argmax(probabilities, axis=1), dtype=np.int64)


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """Returns int64 [true class, predicted class]: how many examples."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return np.asarray(cells.reshape(classes, classes), dtype=np.int64)


def in_top(probabilities: npt.NDArray[np.float32], labels: Labels, k: int) -> npt.NDArray[np.bool_]:
    """Returns bool [n]: whether the label is among the k most probable classes."""
    own = probabilities[np.arange(len(labels)), labels][:, np.newaxis]
    lower = np.arange(probabilities.shape[1]) < labels[:, np.newaxis]
    ahead = (probabilities > own) | ((probabilities == own) & lower)
    return np.asarray(ahead.sum(axis=1) < k)


def share_estimate(successes: int, trials: int) -> Estimate:
    """Returns a share with Wilson's interval; [0, 1] around 0 where there are no trials."""
    if trials == 0:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share, z2 = successes / trials, _Z**2
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = _Z / (1 + z2 / trials)
    spread *= math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return Estimate(
        value=share,
        low=0.0 if successes == 0 else center - spread,
        high=1.0 if successes == trials else center + spread,
    )


def log_losses(probabilities: npt.NDArray[np.float32], labels: Labels) -> Floats:
    """Returns float64 [n], in nats: -log of the label's probability, floored."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(own, PROBABILITY_FLOOR, 1.0))


def macro_f1(hits: Floats, occurrences: Floats) -> Floats:
    """Returns the mean F1 over the classes that occur, as label or as prediction.

    Args:
      hits: [..., classes], examples of each class that were predicted right.
      occurrences: [..., classes], examples that have the class as label, plus those that
        have it as prediction: F1 is 2 * hits / occurrences.

    Returns:
      float64 [...].
    """
    f1 = 2 * hits / np.maximum(occurrences, 1)
    return np.asarray(f1.sum(axis=-1) / (occurrences > 0).sum(axis=-1))


def calibration_gaps(
    probabilities: npt.NDArray[np.float32], labels: Labels, bins: int
) -> tuple[Labels, Floats]:
    """Prepares the expected calibration error.

    Args:
      probabilities: float32 [n, classes].
      labels: int64 [n].
      bins: number of equal-width bins of the top probability.

    Returns:
      int64 [n], the bin of each example, and float64 [n], by how much its top probability
      missed the truth (1 where the top class was right, else 0).
    """
    top = probabilities.max(axis=1).astype(np.float64)
    bin_of = np.minimum((top * bins).astype(np.int64), bins - 1)
    right = predicted_classes(probabilities) == labels
    return bin_of, right - top


def bootstrap_estimates(
    probabilities: npt.NDArray[np.float32],
    labels: Labels,
    *,
    calibration_bins: int,
    resamples: int,
) -> dict[str, Estimate]:
    """Returns macro F1, log loss and expected calibration error with their intervals.

    The percentiles are taken around the value (each resample less the bias of all of
    them), because the calibration error of a resample is larger than that of the sample.

    Args:
      probabilities: float32 [n, classes], n at least 1.
      labels: int64 [n].
      calibration_bins: of the calibration error.
      resamples: of the bootstrap.
    """
    figures = _Figures(probabilities, labels, calibration_bins)
    random = np.random.default_rng(0)
    rows = max(1, _CELLS // len(labels))
    chunks = [
        figures.of(random.integers(len(labels), size=(min(rows, resamples - first), len(labels))))
        for first in range(0, resamples, rows)
    ]
    values = figures.of(np.arange(len(labels))[np.newaxis])
    return {
        name: _around(float(value[0]), np.concatenate([chunk[name] for chunk in chunks]), limit)
        for (name, value), limit in zip(values.items(), (1.0, math.inf, 1.0), strict=True)
    }


_CELLS = 2_000_000
"""Resampled examples to hold at once: some 100 MB."""


def _around(value: float, resampled: Floats, limit: float) -> Estimate:
    low, high = np.percentile(resampled - resampled.mean() + value, [2.5, 97.5])
    return Estimate(
        value=value, low=min(value, max(0.0, float(low))), high=max(value, min(limit, float(high)))
    )


class _Figures:
    """What the figures of any resample need, worked out once per example."""

    def __init__(self, probabilities: npt.NDArray[np.float32], labels: Labels, bins: int) -> None:
        self._classes, self._bins = probabilities.shape[1], bins
        self._labels, self._predicted = labels, predicted_classes(probabilities)
        self._losses = log_losses(probabilities, labels)
        self._bin_of, self._gaps = calibration_gaps(probabilities, labels, bins)

    def of(self, chosen: Labels) -> dict[str, Floats]:
        """Returns float64 [resamples] of each figure, given int64 [resamples, n] positions."""
        labels, predicted = self._labels[chosen], self._predicted[chosen]
        # A wrong prediction is counted in a class of its own, which is then dropped.
        hit = np.where(labels == predicted, labels, self._classes)
        hits = _count_rows(hit, self._classes + 1)[:, :-1]
        occurrences = _count_rows(labels, self._classes) + _count_rows(predicted, self._classes)
        gaps = _count_rows(self._bin_of[chosen], self._bins, self._gaps[chosen])
        return {
            "macro_f1": macro_f1(hits, occurrences),
            "log_loss": self._losses[chosen].mean(axis=1),
            "calibration_error": np.abs(gaps).sum(axis=1) / chosen.shape[1],
        }


def _count_rows(groups: Labels, count: int, weights: Floats | None = None) -> Floats:
    """Returns float64 [rows, count]: in each row, how many (or what weight) of each group."""
    rows = len(groups)
    cells = (groups + np.arange(rows)[:, np.newaxis] * count).ravel()
    weight = None if weights is None else weights.ravel()
    return np.bincount(cells, weight, minlength=rows * count).reshape(rows, count).astype(float)
