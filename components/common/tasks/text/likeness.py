"""Which texts are nearly the same; see `tasks/likeness.py`."""

import numpy as np
import numpy.typing as npt

from components.common.documents.near_copies import Treatment
from components.common.tasks.sketched import Keys, Sketches
from components.common.tasks.text.sketches import HASHES, part

TREATMENT: Treatment = "keep"
"""The word in which two texts differ may be what their labels differ by."""

_SHARED = 0.75
"""Of the words and pairs of words that either has, so many must be in both."""
_TABLES = 8


def keys(sketches: Sketches) -> Keys:
    """Returns the numbers of each sketch two by two; like texts agree in one, nearly always."""
    return part(sketches)[1].view("<u8").astype(np.uint64).reshape(-1, _TABLES)


def may_be_alike(one: Keys, other: Keys) -> npt.NDArray[np.bool_]:
    """Tells of pairs whether they agree in one of their keys."""
    alike: npt.NDArray[np.bool_] = (one == other).any(axis=1)
    return alike


def are_alike(one: Sketches, other: Sketches) -> npt.NDArray[np.bool_]:
    """Tells of pairs whether most of their words and pairs of words are the same."""
    same = part(one)[1].view("<u4") == part(other)[1].view("<u4")
    alike: npt.NDArray[np.bool_] = same.sum(axis=1) >= _SHARED * HASHES
    return alike
