"""Which examples a training has seen: `membership.npz`, beside a manifest and a released model.

Splits change: other shares, other groups, a list that states them. The blessed model may
then be tested on what it was trained on, and nothing beats it. With this the gate leaves
those examples out.
"""

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.predictions import read_arrays, write_arrays

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
        return cls(**read_arrays(directory / FILE_NAME))

    @classmethod
    def parse(cls, data: bytes) -> "Membership":
        """Returns what `write` wrote.

        Raises:
          ValueError: it did not write this.
        """
        try:
            return cls(**read_arrays(io.BytesIO(data)))
        except (EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"no membership: {error}") from error

    def write(self, directory: Path) -> None:
        write_arrays(directory / FILE_NAME, dataclasses.asdict(self))

    def unseen_by(self, other: "Membership", ids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        """Returns which of this data set's examples a training on another one has not seen.

        An example counts as seen with its whole group.

        Args:
          other: the data set that was trained on.
          ids: bytes [n].

        Returns:
          bool [n].
        """
        digests = np.array([_digest(f"id {id_.decode()}") for id_ in ids.tolist()], np.uint64)
        groups = self.groups[np.searchsorted(self.ids, digests)]
        seen = np.union1d(other.ids[other.seen], other.groups[other.seen])
        return ~(np.isin(digests, seen) | np.isin(groups, seen))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
