"""What BatchNorm takes for mean and variance when a model is used, rather than trained.

Keras keeps moving averages, which forget with a momentum of 0.99 to 0.999 in most of its
applications: after a few hundred steps they are still near where they began, and a model
that fits its training pictures is at chance when it is used. So where such a layer is
trained, its statistics are measured instead whenever an epoch ends, with the weights as
they are then (Y. Wu, J. Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3): mean and
variance of what comes to it, batch after batch as in training, of pictures that are not
augmented. A layer that forgets fast enough (small_cnn's) or is frozen keeps its own.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.keras import keras
from components.common.training.strategy import read_variables, write_variables

EXAMPLES = 4096
"""To measure on, at most; in Wu and Johnson's trials more than some thousands made no
difference."""

_QUICK = 0.9
"""The momentum of a moving average that a hundred steps fill."""


class MeasuredNorms:
    """The layers of a model whose statistics are measured; empty for most models.

    Attributes:
      layers: trained ones with a slow moving average.
    """

    def __init__(self, model: Any) -> None:
        self.layers = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
            and layer.trainable
            and layer.momentum > _QUICK
        ]
        self._batches = 0
        self._sums: list[npt.NDArray[np.float64]] = []

    @contextlib.contextmanager
    def as_they_come(self) -> Iterator[None]:
        """Lets each batch leave its own mean and variance in the layers, all computed alike.

        Keras' fused kernels, which several replicas don't have, return another variance: one
        corrected for the size of the batch.
        """
        before = [(layer.momentum, layer.fused) for layer in self.layers]
        for layer in self.layers:
            layer.momentum, layer.fused = 0.0, False
        try:
            yield
        finally:
            for layer, (momentum, fused) in zip(self.layers, before, strict=True):
                layer.momentum, layer.fused = momentum, fused

    def add_batch(self) -> None:
        """Takes what the last batch left."""
        statistics = [value.astype(np.float64) for value in read_variables(self._variables())]
        means, variances = statistics[::2], statistics[1::2]
        moments = [
            moment
            for mean, variance in zip(means, variances, strict=True)
            for moment in (mean, variance + mean**2)
        ]
        before = self._sums or [np.zeros_like(moment) for moment in moments]
        self._sums = [total + moment for total, moment in zip(before, moments, strict=True)]
        self._batches += 1

    def settle(self) -> None:
        """Gives the layers the mean and variance over all batches, which are of one size."""
        moments = [total / self._batches for total in self._sums]
        values = []
        for mean, square in zip(moments[::2], moments[1::2], strict=True):
            values += [mean, np.maximum(square - mean**2, 0.0)]
        write_variables(self._variables(), [value.astype(np.float32) for value in values])
        self._batches, self._sums = 0, []

    def _variables(self) -> list[Any]:
        return [v for layer in self.layers for v in (layer.moving_mean, layer.moving_variance)]
