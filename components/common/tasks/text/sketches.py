"""What a text says, in few bytes: of its words and pairs of words, the least under many hashes.

Two texts that share so many of their words and pairs of words, of all that either has, agree in
about as many numbers of their sketches (Broder, On the resemblance and containment of documents,
1997).
"""

from collections.abc import Sequence

import numpy as np

NUMBERS = 16

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_KEYS = (np.arange(1, NUMBERS + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03))[:, None]


def sketch_text(tokens: Sequence[int]) -> bytes:
    """Returns the sketch of a text, given the ids of its tokens: uint32 [NUMBERS]."""
    ids = np.array([0, *tokens, 0], np.uint64) + np.uint64(1)
    parts = np.concatenate([ids[1:-1], ids[:-1] << np.uint64(32) | ids[1:]])
    hashes = (parts ^ _KEYS) * _MULTIPLIER
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MULTIPLIER
    least: bytes = (hashes >> np.uint64(32)).min(axis=1).astype("<u4").tobytes()
    return least
