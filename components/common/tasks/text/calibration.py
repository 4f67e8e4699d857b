"""The texts from which int8 takes its activation ranges."""

import numpy as np
import numpy.typing as npt

CALIBRATED_ON = "calibration texts"


def span_range(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns the texts as they are, but with padding in one at least.

    Padding is what stretches the range of attention scores the most: a device feeds it with
    nearly every text, and a scheme that has seen none would clip it.

    Args:
      tokens: int32 [n, 3, length], n at least 1.
    """
    if not tokens[:, 1].all():
        return tokens
    padded = tokens.copy()
    padded[0, :, -1] = 0
    return padded
