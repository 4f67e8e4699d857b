"""States of an unfinished training under the data root, from which it goes on.

A state is one object: its name holds its number and the digest of its bytes, and storage writes an
object whole or not at all. So a state is either there as it was meant or is not believed, and the
one before it is taken. States are kept by the computation's key: the same work finds them again,
on any machine and in any run; other work never does.
"""

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.arrays import encode_arrays, parse_arrays
from components.common.errors import DamagedError
from components.common.storage import Storage

_KEPT = 2
_LARGEST_BYTES = 16 << 30
_NAME = re.compile(r"(?P<number>\d{8})-(?P<digest>[0-9a-f]{64})\.npz")
_POSITION = "position"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands.

    Attributes:
      position: JSON values: phase, epoch, step, history.
      arrays: group name -> arrays in order, such as a model's weights.
    """

    position: Mapping[str, Any]
    arrays: Mapping[str, Sequence[npt.NDArray[Any]]]


class Checkpoints:
    """The states of one computation, the newest few of which are kept."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._folder = folder

    def save(self, state: TrainingState) -> None:
        """Keeps a state, and of those before it only the newest."""
        earlier = list(self._names())
        number = int(earlier[0][:8]) + 1 if earlier else 0
        data = _encode(state)
        name = f"{number:08d}-{hashlib.sha256(data).hexdigest()}.npz"
        self._storage.write(f"{self._folder}/{name}", data)
        # Only after the new state is there, so that there is a whole one at every moment. More than
        # one is kept because the newest may turn out to be damaged when it is needed.
        for old in earlier[_KEPT - 1 :]:
            self._storage.delete(f"{self._folder}/{old}")

    def load(self) -> tuple[str, TrainingState | None]:
        """Returns the newest state that is whole and its name; "" and None without one."""
        for name in self._names():
            if (state := self.load_named(name)) is not None:
                return name, state
        return "", None

    def load_named(self, name: str) -> TrainingState | None:
        """Returns one state; None where it is not there, or not whole."""
        with contextlib.suppress(FileNotFoundError, *_DAMAGED):
            data = self._storage.read(f"{self._folder}/{name}", max_bytes=_LARGEST_BYTES)
            if hashlib.sha256(data).hexdigest() == name[9:-4]:
                return _decode(data)
        return None

    def _names(self) -> Iterator[str]:
        """Yields the file names of the states, the newest first."""
        blobs = (blob.name.rpartition("/")[2] for blob in self._storage.list(f"{self._folder}/"))
        yield from sorted(filter(_NAME.fullmatch, blobs), reverse=True)


_DAMAGED = (DamagedError, ValueError, KeyError, TypeError, RecursionError)


def _encode(state: TrainingState) -> bytes:
    text = json.dumps(state.position, sort_keys=True)  # A diverged loss is NaN.
    members = {_POSITION: np.frombuffer(text.encode(), np.uint8)}
    for group, arrays in state.arrays.items():
        members[f"{group}/"] = np.array(len(arrays))
        members |= {f"{group}/{index}": array for index, array in enumerate(arrays)}
    return encode_arrays(members)


def _decode(data: bytes) -> TrainingState:
    members = parse_arrays(data, name="state")
    position = json.loads(members[_POSITION].tobytes())
    if not isinstance(position, dict):
        raise ValueError("no position")
    groups = [name[:-1] for name in members if name.endswith("/")]
    return TrainingState(
        position=position,
        arrays={
            group: [members[f"{group}/{index}"] for index in range(int(members[f"{group}/"]))]
            for group in groups
        },
    )
