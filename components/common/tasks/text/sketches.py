"""What a text is like, in few bytes: its traits, and hashes of its words and pairs of words.

Of these hashes the least is kept, for each of many ways to hash them.

Two texts that share so many of their words and pairs of words, of all that either has, agree in
about as many numbers of their sketches (Broder, On the resemblance and containment of documents,
1997).
"""

from collections.abc import Sequence

import numpy as np

from components.common.tasks.sketched import (
    Numbers,
    Sketches,
    code_words,
    pack_numbers,
    part_sketches,
)
from components.common.tasks.text.sources import VALUES

NUMBERS = ("characters", "unknown", *VALUES)
HASHES = 16

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_KEYS = (np.arange(1, HASHES + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03))[:, None]


def sketch_text(tokens: Sequence[int], *, characters: int, unknown: int, script: str) -> bytes:
    """Returns the sketch of a text.

    Args:
      tokens: their ids, without marks and padding.
      characters: how many it has.
      unknown: how many tokens the vocabulary lacks.
      script: that of most letters.
    """
    ids = np.array([0, *tokens, 0], np.uint64) + np.uint64(1)
    parts = np.concatenate([ids[1:-1], ids[:-1] << np.uint64(32) | ids[1:]])
    hashes = (parts ^ _KEYS) * _MULTIPLIER
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MULTIPLIER
    least: bytes = (hashes >> np.uint64(32)).min(axis=1).astype("<u4").tobytes()
    words = code_words(VALUES, {"script": script})
    return pack_numbers(characters, unknown / max(1, len(tokens)), *words) + least


def part(sketches: Sketches) -> tuple[Numbers, Sketches]:
    """Returns the numbers, [n, NUMBERS], and the hashes as bytes, [n, 4 * HASHES]."""
    return part_sketches(sketches, len(NUMBERS))
