"""The epoch whose weights a phase leaves."""

import math
from collections.abc import Sequence

from components.common.documents.bundle import Epoch


def best_epoch(epochs: Sequence[Epoch], *, examples: int) -> Epoch:
    """Returns the latest epoch that is not clearly worse than the best.

    Of epochs within one standard error of the highest validation accuracy none is known to
    be better (the rule of Breiman, Friedman, Olshen and Stone, Classification and
    Regression Trees, 1984, section 3.4.3), and the latest was trained longest, at the lowest
    rate. The highest one itself is often a matter of luck where validation is small.

    Args:
      epochs: in order, one at least.
      examples: how many they were judged by.
    """
    highest = max(epoch.validation_accuracy for epoch in epochs)
    least = highest - math.sqrt(highest * (1.0 - highest) / examples)
    return [epoch for epoch in epochs if epoch.validation_accuracy >= least][-1]
