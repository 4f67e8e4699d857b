"""Which examples a training has seen: `membership.npz`, beside a manifest and a released model.

Splits change: other shares, other groups, a list that states them. The blessed model may
then be tested on what it was trained on, and nothing beats it. With this the gate leaves
those examples out.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.arrays import parse_arrays, read_arrays, write_arrays
from components.common.errors import DamagedError

FILE_NAME = "membership.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Membership:
    """All examples of a data set, by digests of 8 bytes.

    Attributes:
      ids: uint64 [n], of each example's id; sorted.
      groups: uint64 [n], of its group, or of its id where it has none.
      seen: bool [n], whether it is in the training or the validation split.
    """

    ids: npt.NDArray[np.uint64]
    groups: npt.NDArray[np.uint64]
    seen: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, examples: Iterable[tuple[str, str, bool]]) -> "Membership":
        """Returns the membership of examples with id, group (or none) and whether it is seen."""
        rows = sorted(
            (_digest(f"id {id_}"), _digest(f"group {group}" if group else f"id {id_}"), seen)
            for id_, group, seen in examples
        )
        ids, groups, seen = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(np.array(ids, np.uint64), np.array(groups, np.uint64), np.array(seen, np.bool_))

    @classmethod
    def read(cls, directory: Path) -> "Membership":
        path = directory / FILE_NAME
        return cls._of_arrays(read_arrays(path), str(path))

    @classmethod
    def parse(cls, data: bytes, *, name: str = FILE_NAME) -> "Membership":
        """Returns what `write` wrote.

        Raises:
          DamagedError: it did not write this.
        """
        return cls._of_arrays(parse_arrays(data, name=name), name)

    @classmethod
    def _of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], name: str) -> "Membership":
        kinds = {key: (array.ndim, array.dtype.kind) for key, array in arrays.items()}
        lengths = {len(array) for array in arrays.values() if array.ndim == 1}
        if kinds != {"ids": (1, "u"), "groups": (1, "u"), "seen": (1, "b")} or len(lengths) != 1:
            raise DamagedError(f"{name}: holds no membership of examples; move it away, run again")
        return cls(**arrays)

    def write(self, directory: Path) -> None:
        write_arrays(directory / FILE_NAME, dataclasses.asdict(self))

    def groups_of(self, ids: Iterable[str]) -> list[int | None]:
        """Returns the digest of the group that each of some examples is in, None for none."""
        digests = _digests(ids)
        known = np.isin(digests, self.ids)
        groups = digests.copy()
        groups[known] = self.groups[np.searchsorted(self.ids, digests[known])]
        return [
            None if alone else group
            for group, alone in zip(groups.tolist(), (groups == digests).tolist(), strict=True)
        ]

    def unseen_by(self, other: "Membership", ids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        """Returns which of this data set's examples a training on another one has not seen.

        An example counts as seen with its whole group.

        Args:
          other: the data set that was trained on.
          ids: bytes [n].

        Returns:
          bool [n].
        """
        digests = _digests(id_.decode() for id_ in ids.tolist())
        groups = self.groups[np.searchsorted(self.ids, digests)]
        seen = np.union1d(other.ids[other.seen], other.groups[other.seen])
        return ~(np.isin(digests, seen) | np.isin(groups, seen))


def _digests(ids: Iterable[str]) -> npt.NDArray[np.uint64]:
    return np.array([_digest(f"id {id_}") for id_ in ids], np.uint64)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
