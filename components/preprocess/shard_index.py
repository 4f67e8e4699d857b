"""The index beside a shard: of each member, what was found of it, and how long its record is.

A later shard takes over from it what has not changed (`takeover.py`), without a look at the
source. So it also holds what the shard's own sums no longer show: what each member added to
the statistics, and why one was rejected.

The file is what was found of the members, a row of fixed size for each, sorted by id, the sums of
what was counted, and how many rows and sums there are. A row tells lengths and no places, so that
successive rows are the same bytes in every shard.
"""

import dataclasses
import functools
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.common.data.records import OVERHEAD_AFTER, OVERHEAD_BEFORE
from components.common.digests import canonical_json
from components.common.documents.rejects import NoteKind, Reason

DIGEST_DIGITS = 24
"""96 bits: enough for no two of a thousand million examples to be taken for the same."""

_ROW = np.dtype(
    [
        ("id", "V32"),
        ("digest", f"V{DIGEST_DIGITS // 2}"),
        ("slice", f"V{DIGEST_DIGITS // 2}"),
        ("label", "<u4"),
        ("record", "<u4"),
        ("counts", "<u4"),
        ("sketch", "<u4"),
        ("remarks", "<u4"),
    ]
)
"""Id, digest of what a model sees, digest of the slice's name, label; bytes of the record, 0 where
it was rejected, and of the counts, the sketch and the remarks among what was found."""
_PACKED = struct.Struct("<32s12s12sIIIII")
"""A row, too."""
_END = struct.Struct("<QQ")
"""How many rows and sums there are."""

Sums = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
"""Positions of members in an index."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a member."""

    record: bytes
    """Nothing, where it was rejected."""
    digest: str
    """Of what a model will see of it; DIGEST_DIGITS of it."""
    counts: bytes
    """What was counted of it, as `pack_counts` writes it."""
    sketch: bytes
    """What it looks like, as long for every example; nothing, where it was rejected."""
    notes: tuple[tuple[NoteKind, str], ...] = ()
    reject: tuple[Reason, str] | None = None

    def remarks(self) -> bytes:
        """Returns notes and reject as JSON; nothing where there are none."""
        if not self.notes and self.reject is None:
            return b""
        return canonical_json([self.notes, self.reject]).encode()


class IndexWriter:
    """Writes an index, member after member.

    Args:
      file: empty.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rows = bytearray()

    def add(self, id: str, outcome: Outcome, *, label: int, slice: str) -> None:
        """Appends a member.

        Args:
          id: greater than the one before.
          outcome: what became of it.
          label: under which it stands in the shard.
          slice: likewise.
        """
        remarks = outcome.remarks()
        row = _PACKED.pack(
            bytes.fromhex(id),
            bytes.fromhex(outcome.digest),
            _digest_slice(slice),
            label,
            len(outcome.record),
            len(outcome.counts),
            len(outcome.sketch),
            len(remarks),
        )
        self.add_rows(row, outcome.counts + outcome.sketch + remarks)

    def add_rows(self, rows: bytes, found: bytes) -> None:
        """Appends successive rows of another index, and what was found of their members."""
        self._rows += rows
        self._file.write(found)

    def finish(self, sums: Sums) -> None:
        """Writes the rows, and the sums of what was counted; there are no members after it."""
        self._file.write(self._rows)
        self._file.write(sums.astype("<i8").tobytes())
        rows = len(self._rows) // _ROW.itemsize
        self._file.write(_END.pack(rows, sums.size))

    def digests(self) -> str:
        """Returns the digests of the examples, in their order, each of DIGEST_DIGITS."""
        return self._examples()["digest"].tobytes().hex()

    def examples_per_class(self, classes: int) -> tuple[int, ...]:
        """Returns how many examples have each label."""
        return tuple(np.bincount(self._examples()["label"], minlength=classes).tolist())

    def _examples(self) -> npt.NDArray[np.void]:
        rows = np.frombuffer(bytes(self._rows), _ROW)
        return rows[rows["record"] > 0]


class IndexReader:
    """Reads an index whose bytes are known to be those that were written.

    Args:
      data: of the whole index.

    Attributes:
      rows: how many there are.
      sums: of what was counted.

    Raises:
      ValueError: they are no index.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < _END.size:
            raise ValueError("an index ends before it says how many rows it has")
        self.rows, sums = _END.unpack_from(data, len(data) - _END.size)
        self._data = data
        start = self._start = len(data) - _END.size - 8 * sums - self.rows * _ROW.itemsize
        if start < 0:
            raise ValueError(f"an index says that it has {self.rows} rows, more than its bytes")
        self._rows = np.frombuffer(data, _ROW, self.rows, start)
        self.sums: Sums = np.frombuffer(data, "<i8", sums, start + self._rows.nbytes)
        records = self._rows["record"].astype(np.int64)
        self._records = _places(records + (records > 0) * (OVERHEAD_BEFORE + OVERHEAD_AFTER))
        found = (self._rows[name].astype(np.int64) for name in ("counts", "sketch", "remarks"))
        self._found = _places(sum(found, np.zeros(self.rows, np.int64)))
        if self._found[-1] != start:
            raise ValueError("an index does not tell of all that it has found")

    def id_at(self, row: int) -> bytes:
        """Returns the id of a row's member, as bytes."""
        start = self._start + row * _ROW.itemsize
        return self._data[start : start + 32]

    def is_labelled(self, row: int, label: int, slice: str) -> bool:
        """Tells whether a row's member stands in the shard under a label and a slice."""
        start = self._start + row * _ROW.itemsize + 32 + DIGEST_DIGITS // 2
        return self._data[start : start + DIGEST_DIGITS // 2 + 4] == _labelling(label, slice)

    def rows_between(self, first: int, end: int) -> bytes:
        """Returns rows as they are."""
        size = _ROW.itemsize
        return self._data[self._start + first * size : self._start + end * size]

    def found_between(self, first: int, end: int) -> bytes:
        """Returns what was found of rows' members."""
        return self._data[self._found[first] : self._found[end]]

    def records_between(self, first: int, end: int) -> tuple[int, int]:
        """Returns where the records of rows begin and end in the shard's uncompressed bytes."""
        return int(self._records[first]), int(self._records[end])

    def remarked(self, first: int, end: int) -> list[int]:
        """Returns those rows of which something was remarked."""
        rows: list[int] = (np.flatnonzero(self._rows["remarks"][first:end]) + first).tolist()
        return rows

    def counts_of(self, row: int) -> bytes:
        """Returns what was counted of a row's member."""
        start = self._found[row]
        return self._data[start : start + self._rows["counts"][row]]

    def examples(self) -> Rows:
        """Returns the rows of which there is a record."""
        return np.flatnonzero(self._rows["record"])

    def labels_of(self, rows: Rows) -> npt.NDArray[np.uint32]:
        """Returns the labels of rows' members."""
        labels: npt.NDArray[np.uint32] = self._rows["label"][rows]
        return labels

    def digests_of(self, rows: Rows) -> npt.NDArray[np.void]:
        """Returns the digests of what a model sees of rows' members."""
        digests: npt.NDArray[np.void] = self._rows["digest"][rows]
        return digests

    def sketches_of(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Returns the sketches of examples, [n, bytes].

        Args:
          rows: of examples, one at least.

        Raises:
          ValueError: their sketches are not equally long.
        """
        (size,) = np.unique(self._rows["sketch"][rows]).tolist()
        starts = self._found[rows] + self._rows["counts"][rows]
        data = np.frombuffer(self._data, np.uint8)
        sketches: npt.NDArray[np.uint8] = data[starts[:, None] + np.arange(size)]
        return sketches

    def outcome_of(self, row: int, record: bytes) -> Outcome:
        """Returns what became of a row's member, given its record."""
        remarks: list[Any] = [[], None]
        if self._rows["remarks"][row]:
            end = self._found[row + 1]
            remarks = json.loads(self._data[end - self._rows["remarks"][row] : end])
        notes, reject = remarks
        sketch = self._found[row] + self._rows["counts"][row]
        return Outcome(
            record=record,
            digest=self._rows["digest"][row].tobytes().hex(),
            counts=self.counts_of(row),
            sketch=self._data[sketch : sketch + self._rows["sketch"][row]],
            notes=tuple((kind, detail) for kind, detail in notes),
            reject=None if reject is None else (reject[0], reject[1]),
        )


def part_digests(digests: str) -> list[str]:
    """Returns each of several digests that are one text."""
    starts = range(0, len(digests), DIGEST_DIGITS)
    return [digests[start : start + DIGEST_DIGITS] for start in starts]


def find_repeated(digests: Iterable[str]) -> set[str]:
    """Returns the digests that come more than once, of texts of several."""
    packed = bytes.fromhex("".join(digests))
    found = np.sort(np.frombuffer(packed, f"S{DIGEST_DIGITS // 2}"))
    repeated = found[1:][found[1:] == found[:-1]]
    return set(part_digests(repeated.tobytes().hex()))


def pack_counts(counts: Sequence[int]) -> bytes:
    """Returns numbers in [0, 2**63) as few bytes: most are small, and many are zero."""
    return zlib.compress(np.array(counts, "<i8").tobytes(), 1)


def unpack_counts(packed: bytes, *, most: int) -> npt.NDArray[np.int64]:
    """Returns what was packed, and no more than so many numbers."""
    return np.frombuffer(zlib.decompressobj().decompress(packed, 8 * most), "<i8")


@functools.cache
def _digest_slice(slice: str) -> bytes:
    """Returns the digest by which a row names a slice."""
    return hashlib.sha256(slice.encode()).digest()[: DIGEST_DIGITS // 2]


@functools.cache
def _labelling(label: int, slice: str) -> bytes:
    return _digest_slice(slice) + struct.pack("<I", label)


def _places(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns where each of several things begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)])
