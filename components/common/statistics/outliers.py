"""Which numbers lie far out."""

import numpy as np
import numpy.typing as npt

_FAR_OUT = 3.0
"""Times the distance of the quartiles: far out, by Tukey (Exploratory Data Analysis, 1977)."""


def how_far_out(values: npt.NDArray[np.float32], *, at_least: float) -> npt.NDArray[np.float32]:
    """Returns how far each number lies beyond the quartiles, in units of what is far out.

    Args:
      values: [n], one at least.
      at_least: what is not far out, however near the quartiles are to one another.

    Returns:
      [n], 0 for what is not far out, and more than 1 for what is.
    """
    low, high = np.quantile(values, (0.25, 0.75))
    beyond = np.maximum(low - values, values - high) / max(_FAR_OUT * (high - low), at_least)
    far: npt.NDArray[np.float32] = np.where(beyond > 1, beyond, 0).astype(np.float32)
    return far
