"""Sketches of examples, and what is read of them: arrays that know no task.

A sketch says in few bytes what an example is like: a few numbers, its traits, and then what
`tasks/likeness.py` compares.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Sketches = npt.NDArray[np.uint8]
"""[n, bytes], as a task's maker makes them."""
Keys = npt.NDArray[np.uint64]
"""[n, tables]: what is nearly the same has a key of some table that begins alike."""
Numbers = npt.NDArray[np.float32]
"""[n, numbers]; a word is the number of its place among those that there are."""
Traits = Mapping[str, npt.NDArray[np.float32]]
"""Name -> [n], of n examples."""
Oddness = Mapping[str, npt.NDArray[np.float32]]
"""Kind -> [n], 0 for an example that is not odd in this way, else the more the odder it is."""
Edges = Mapping[str, Sequence[float]]
"""Name -> where the bins of a trait meet, ascending; the first and the last bin are open."""


def pack_numbers(*numbers: float) -> bytes:
    """Returns the numbers that a sketch begins with."""
    return np.array(numbers, "<f4").tobytes()


def code_words(known: Mapping[str, Sequence[str]], words: Mapping[str, str]) -> list[int]:
    """Returns a number for each word that is known under a name; for another, that of `other`."""
    found = ((known[name], word) for name, word in words.items())
    return [own.index(word if word in own else "other") for own, word in found]


def part_sketches(sketches: Sketches, numbers: int) -> tuple[Numbers, Sketches]:
    """Returns the numbers that sketches begin with, and what is left of them."""
    size = 4 * numbers
    head = np.ascontiguousarray(sketches[:, :size]).view("<f4")
    return head.astype(np.float32), np.ascontiguousarray(sketches[:, size:])


def count_bits(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Returns how many bits of each value are set."""
    counts: npt.NDArray[Any] = _BITS[values.reshape(-1, 1).view(np.uint16)].sum(1, np.uint8)
    return counts.reshape(values.shape)


_BITS = (
    np.unpackbits(np.arange(1 << 16, dtype="<u2").view(np.uint8)).reshape(-1, 16).sum(1, np.uint8)
)
