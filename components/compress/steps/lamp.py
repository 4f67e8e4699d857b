"""How much of each layer is pruned where one share of all layers' weights is asked for.

A weight's score is its square over the sum of the squares of its layer's weights that are not
smaller: what share of the layer's energy would go with it, were all smaller ones gone (J. Lee,
S. Park, S. Mo, S. Ahn, J. Shin, Layer-adaptive sparsity for the magnitude-based pruning, 2021).
One threshold for all layers then takes more from those with many weights that hardly count.
Within a layer the order is that of magnitude, so that the scores decide the layers' shares, and
no more than these.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def lamp_scores(kernel: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Returns the scores of a layer's weights [n], ascending, within [0, 1]; the last is 1."""
    squares = np.sort(np.square(kernel.astype(np.float64)).ravel())
    not_smaller = np.cumsum(squares[::-1])[::-1]
    return squares / np.where(not_smaller > 0, not_smaller, 1.0)


def lamp_shares(kernels: Mapping[str, npt.NDArray[Any]], sparsity: float) -> dict[str, float]:
    """Returns which share of each layer's weights is to be zero.

    Args:
      kernels: layer -> its weights.
      sparsity: the share of zeros among all of them together, in [0, 1).

    Returns:
      layer -> share, in [0, 1): a layer keeps its greatest weight at least.
    """
    scores = [lamp_scores(kernel) for kernel in kernels.values()]
    layers = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    order = np.argsort(np.concatenate(scores), kind="stable")
    smallest = order[: round(sparsity * len(order))]
    zeros = np.bincount(layers[smallest], minlength=len(scores))
    return {
        name: min(count, kernel.size - 1) / kernel.size
        for (name, kernel), count in zip(kernels.items(), zeros.tolist(), strict=True)
    }
