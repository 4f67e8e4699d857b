"""A linear head on features that stay: a convex problem, solved rather than trained.

With a few tens of examples per class, how strongly a head is held back matters more than how it is
trained. So it is fitted at several strengths, from strong to weak, each from where the last one
ended, and the validation split says which is kept.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRENGTHS = tuple(10.0**-power for power in range(6))
"""Of the L2 penalty, as shares of the features' mean square about their mean: from one, which
leaves little but the classes' frequencies, to what hardly holds anything back."""

_MOST_STEPS = 3000
_SMALLEST_GRADIENT = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearHead:
    """A head, and how it was found.

    Attributes:
      kernel: float64 [units, classes].
      bias: float64 [classes].
      strength: that of STRENGTHS which was chosen.
      loss: mean cross entropy over the training examples, weighted.
      accuracy: on the training examples.
      validation_loss: mean cross entropy over those of validation.
      validation_accuracy: on these.
    """

    kernel: Array
    bias: Array
    strength: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


def fit_head(
    train: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]],
    validation: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]],
    *,
    class_weights: Sequence[float],
) -> LinearHead:
    """Returns the head that is best on validation, of one for each of STRENGTHS.

    Args:
      train: features [n, units] and labels [n].
      validation: likewise; one at least.
      class_weights: how much an example of each class counts.
    """
    features, labels = train[0].astype(np.float64), train[1]
    mean = features.mean(axis=0)
    problem = _Problem(features - mean, labels, np.asarray(class_weights))
    judged = validation[0].astype(np.float64) - mean
    heads = []
    weights = np.zeros((features.shape[1] + 1, len(class_weights)))
    for strength in STRENGTHS:
        weights = problem.solve(weights, strength)
        log_shares = _log_softmax(judged @ weights[:-1] + weights[-1])
        right = log_shares.argmax(axis=1) == validation[1]
        loss, accuracy = problem.judge(weights)
        heads.append(
            LinearHead(
                kernel=weights[:-1],
                bias=weights[-1] - mean @ weights[:-1],
                strength=strength,
                loss=loss,
                accuracy=accuracy,
                validation_loss=float(-_chosen(log_shares, validation[1]).mean()),
                validation_accuracy=float(right.mean()),
            )
        )
    return min(heads, key=lambda head: head.validation_loss)


class _Problem:
    """Softmax regression with an L2 penalty on all but the bias, which is the last row."""

    def __init__(self, centred: Array, labels: npt.NDArray[np.int64], class_weights: Array) -> None:
        self._inputs = np.column_stack([centred, np.ones(len(centred))])
        self._targets = np.eye(len(class_weights))[labels]
        counts = class_weights[labels]
        self._counts = (counts / counts.sum())[:, np.newaxis]
        self._labels = labels
        products = self._inputs.T @ (self._counts * self._inputs)
        # The greatest curvature of softmax is one half.
        self._steepest = 0.5 * float(np.linalg.eigvalsh(products)[-1])
        self._square = float(np.square(centred).sum(axis=1).mean()) or 1.0

    def solve(self, begin: Array, strength: float) -> Array:
        """Returns the weights [units + 1, classes] of the smallest loss with its penalty.

        By Nesterov's accelerated gradients, for a strongly convex function (Y. Nesterov,
        Introductory lectures on convex optimization, 2004, section 2.2).
        """
        penalty = np.full((len(begin), 1), strength * self._square / self._inputs.shape[1])
        penalty[-1] = 0.0
        steepest = self._steepest + float(penalty[0, 0])
        root = math.sqrt(steepest / float(penalty[0, 0]))
        momentum = (root - 1) / (root + 1)
        weights = ahead = begin
        for _ in range(_MOST_STEPS):
            gradient = self._gradient(ahead) + penalty * ahead
            after = ahead - gradient / steepest
            ahead = after + momentum * (after - weights)
            weights = after
            if np.abs(gradient).max() < _SMALLEST_GRADIENT:
                break
        return weights

    def judge(self, weights: Array) -> tuple[float, float]:
        """Returns the loss without its penalty, and the accuracy."""
        log_shares = _log_softmax(self._inputs @ weights)
        loss = -(self._counts[:, 0] * _chosen(log_shares, self._labels)).sum()
        return float(loss), float((log_shares.argmax(axis=1) == self._labels).mean())

    def _gradient(self, weights: Array) -> Array:
        shares = np.exp(_log_softmax(self._inputs @ weights))
        return np.asarray(self._inputs.T @ (self._counts * (shares - self._targets)))


def _log_softmax(logits: Array) -> Array:
    centred = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(centred - np.log(np.exp(centred).sum(axis=1, keepdims=True)))


def _chosen(log_shares: Array, labels: npt.NDArray[np.int64]) -> Array:
    return np.asarray(log_shares[np.arange(len(labels)), labels])
