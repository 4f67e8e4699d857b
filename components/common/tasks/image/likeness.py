"""Which pictures are nearly the same; see `tasks/likeness.py`.

A perceptual hash of 63 bits says of each frequency of a sketch, but the mean, whether it is
stronger than most. What is saved anew differs in few of them; so do pictures that merely have the
same outline, which their sketches tell apart: saving anew changes all fields a little, another
detail changes one of them much.
"""

import functools

import numpy as np
import numpy.typing as npt

from components.common.documents.near_copies import Treatment
from components.common.tasks.image.sketches import SIDE, part
from components.common.tasks.sketched import Keys, Sketches, count_bits

TREATMENT: Treatment = "leave_out"

_DIFFERENT_BITS = 8
"""Most that two pictures may differ by in their hashes: JPEG at quality 60 changes as many."""
_STRONGER = 8.0
"""By so much must a frequency be stronger than most: fields that err by one change it by half of
that. Of a picture that is its own mirror image half are 0, and bits of noise otherwise."""
_MOST = 10
"""Most that any field may differ by, of 255: JPEG at quality 60 changes pictures of 96x96 by 5."""
_SHARE = 0.2
"""Most that all may differ by, as the root of the mean square, of how much the fields of one
picture differ: pages of print are all nearly white."""

_ROTATIONS = (0, 16, 32, 48)


def _frequencies() -> npt.NDArray[np.float32]:
    """Returns the discrete cosine transform: [frequency, field]."""
    fields = np.arange(SIDE)
    return np.cos(np.pi * np.outer(fields, 2 * fields + 1) / (2 * SIDE)).astype(np.float32)


_TRANSFORM = _frequencies()
_BY_FREQUENCY = np.argsort(np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel(), kind="stable")[
    1:
]
"""The frequencies but the mean, low ones first: these are the last to change."""


def keys(sketches: Sketches) -> Keys:
    """Returns each picture's hash, and the same begun at other bits."""
    channels = np.moveaxis(_fields(sketches), 3, 0)
    # As `mean` does, which takes seven times as long over an axis so short.
    fields = functools.reduce(np.add, channels) / np.float32(len(channels))
    strengths = (_TRANSFORM @ fields @ _TRANSFORM.T).reshape(len(fields), -1)[:, _BY_FREQUENCY]
    bits = strengths > np.median(strengths, axis=1, keepdims=True) + _STRONGER
    hashes = np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u8").astype(np.uint64)
    rotated = [hashes << np.uint64(n) | hashes >> np.uint64((64 - n) % 64) for n in _ROTATIONS]
    return np.concatenate(rotated, axis=1)


def may_be_alike(one: Keys, other: Keys) -> npt.NDArray[np.bool_]:
    """Tells of pairs whether few bits of their hashes differ."""
    return count_bits(one[:, 0] ^ other[:, 0]) <= _DIFFERENT_BITS


def are_alike(one: Sketches, other: Sketches) -> npt.NDArray[np.bool_]:
    """Tells of pairs whether all fields have nearly the same colour."""
    (_, first), (_, second) = part(one), part(other)
    differences = np.maximum(first, second) - np.minimum(first, second)
    alike: npt.NDArray[np.bool_] = differences.max(axis=1) <= _MOST
    near = np.flatnonzero(alike)  # Few mostly, and the rest takes longer.
    squares = np.square(differences[near])  # Of 10 at most, which a byte has room for.
    distance = np.sqrt(squares.sum(axis=1, dtype=np.uint32) / squares.shape[1])
    alike[near] = distance <= _SHARE * np.minimum(_spread(first[near]), _spread(second[near]))
    return alike


def _spread(fields: Sketches) -> npt.NDArray[np.float64]:
    """Returns the standard deviation of each picture's fields, as the mean of its channels."""
    count = SIDE * SIDE
    by_field = fields.reshape(-1, count, fields.shape[1] // count)
    channels = np.ascontiguousarray(np.moveaxis(by_field, 2, 0))
    sums = channels.sum(axis=2, dtype=np.int64)
    values = channels.astype(np.float32)
    # Exact, as no sum reaches 2**24; and not by BLAS, whose threads would wait for more, busily.
    squares = np.einsum("cnf,cnf->cn", values, values).astype(np.int64)
    spread: npt.NDArray[np.float64] = np.sqrt(count * squares - np.square(sums)).mean(axis=0)
    return spread / count


def _fields(sketches: Sketches) -> npt.NDArray[np.float32]:
    _, fields = part(sketches)
    return fields.reshape(len(sketches), SIDE, SIDE, -1).astype(np.float32)
