"""Sketches of examples, and what sorts them: arrays that know no task.

A sketch says in few bytes what an example looks like; `tasks/likeness.py` compares them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Sketches = npt.NDArray[np.uint8]
"""[n, bytes], as a task's maker makes them."""
Keys = npt.NDArray[np.uint64]
"""[n, tables]: what is nearly the same has a key of some table that begins alike."""


def count_bits(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Returns how many bits of each value are set."""
    counts: npt.NDArray[Any] = _BITS[values.reshape(-1, 1).view(np.uint16)].sum(1, np.uint8)
    return counts.reshape(values.shape)


_BITS = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
