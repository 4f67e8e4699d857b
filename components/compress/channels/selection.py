"""Which channels of a group stay: those whose loss its consumer would feel most.

A channel's score is how much of the consumer's output comes from it: the energy of its activations
on training pictures times the energy of the weights that read them. The energy is that about the
mean, because a channel that is the same everywhere is a constant, which an offset stands in for.
"""

import math

import numpy as np
import numpy.typing as npt

MULTIPLE = 8
"""Widths of which kernels waste no lanes of a vector register."""


def kept_count(channels: int, share: float) -> int:
    """Returns how many of a group's channels stay: a multiple of 8, or all.

    Args:
      channels: how many there are.
      share: of them, to be removed at most.
    """
    left = channels - math.floor(channels * share)
    return min(channels, -(-left // MULTIPLE) * MULTIPLE)


def channel_scores(
    variances: npt.NDArray[np.float64], kernel: npt.NDArray[np.float32], *, channels: int
) -> npt.NDArray[np.float64]:
    """Returns the score of each channel: float64 [channels].

    Args:
      variances: [taps * channels] of what comes to each of the consumer's taps.
      kernel: the consumer's, float32 [taps * channels, outputs].
      channels: how many there are.
    """
    weights = np.square(kernel.astype(np.float64)).sum(axis=1)
    scores: npt.NDArray[np.float64] = (variances * weights).reshape(-1, channels).sum(axis=0)
    return scores


def highest(scores: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of the highest scores, ascending; of equal ones the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
