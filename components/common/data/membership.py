"""Which example is in which split: `membership.npz`, beside a manifest and a released model.

Splits change: other shares, other groups, a list that states them. The blessed model may
then be tested on what it was trained on, and nothing beats it. With this the gate leaves
those examples out, and validate sees without reading a shard whether splits share anything.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.arrays import parse_arrays, read_arrays, write_arrays
from components.common.documents.dataset import SPLITS, Split
from components.common.errors import DamagedError

FILE_NAME = "membership.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Membership:
    """All examples of a data set, by digests of 8 bytes.

    Attributes:
      ids: uint64 [n], of each example's id; sorted.
      groups: uint64 [n], of its group, or of its id where it has none.
      splits: uint8 [n], of its split, the index into SPLITS.
    """

    ids: npt.NDArray[np.uint64]
    groups: npt.NDArray[np.uint64]
    splits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, examples: Iterable[tuple[str, str, Split]]) -> "Membership":
        """Returns the membership of examples, each with id, group (or none) and split."""
        rows = np.fromiter(_rows(examples), _ROW)
        rows.sort(order=["ids", "groups", "splits"])
        return cls(*(np.ascontiguousarray(rows[name]) for name in ("ids", "groups", "splits")))

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
        if kinds != {"ids": (1, "u"), "groups": (1, "u"), "splits": (1, "u")} or len(lengths) != 1:
            raise DamagedError(f"{name}: holds no membership of examples; move it away, run again")
        return cls(**arrays)

    def write(self, directory: Path) -> None:
        write_arrays(directory / FILE_NAME, dataclasses.asdict(self))

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Whether each example is in the training or the validation split: bool [n]."""
        return np.not_equal(self.splits, SPLITS.index("test"))

    def find_shared_examples(self, first: Split, second: Split) -> npt.NDArray[np.uint64]:
        """Returns the examples that stand in two splits, by their digests."""
        return np.intersect1d(self.ids[self._are_in(first)], self.ids[self._are_in(second)])

    def find_shared_groups(self, first: Split, second: Split) -> npt.NDArray[np.uint64]:
        """Returns the groups with examples in two splits, by their digests."""
        grouped = self.groups != self.ids
        return np.intersect1d(
            self.groups[grouped & self._are_in(first)],
            self.groups[grouped & self._are_in(second)],
        )

    def members_of(self, group: int) -> frozenset[int]:
        """Returns the digests of a group's examples."""
        return frozenset(self.ids[self.groups == group].tolist())

    def _are_in(self, split: Split) -> npt.NDArray[np.bool_]:
        return np.equal(self.splits, SPLITS.index(split))

    def unseen_by(self, other: "Membership", ids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        """Returns which of this data set's examples a training on another one has not seen.

        An example counts as seen with its whole group.

        Args:
          other: the data set that was trained on.
          ids: bytes [n].

        Returns:
          bool [n].
        """
        digests = np.array([example_digest(id_.decode()) for id_ in ids.tolist()], np.uint64)
        groups = self.groups[np.searchsorted(self.ids, digests)]
        seen = np.union1d(other.ids[other.seen], other.groups[other.seen])
        return ~(np.isin(digests, seen) | np.isin(groups, seen))


_ROW = np.dtype([("ids", np.uint64), ("groups", np.uint64), ("splits", np.uint8)])


def _rows(examples: Iterable[tuple[str, str, Split]]) -> Iterator[tuple[int, int, int]]:
    for id_, group, split in examples:
        own = example_digest(id_)
        yield own, _digest(f"group {group}") if group else own, SPLITS.index(split)


def example_digest(id_: str) -> int:
    """Returns what a membership knows an example by."""
    return _digest(f"id {id_}")


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
