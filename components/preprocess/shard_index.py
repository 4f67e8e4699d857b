"""The index beside a shard: of each member, where its record lies and what was found of it.

A later shard takes over from it what has not changed (`takeover.py`), without a look at the
source. So it also holds what the shard's own sums no longer show: what each member added to
the statistics, and why one was rejected.

The file is what was found of the members, then a row of fixed size for each, sorted by id,
then the number of rows.
"""

import dataclasses
import json
import struct
import zlib
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.common.digests import canonical_json
from components.common.documents.rejects import NoteKind, Reason

DIGEST_DIGITS = 24
"""96 bits: enough for no two of a thousand million examples to be taken for the same."""

_ROW = struct.Struct("<32s12sQIQII")
"""Id, digest; offset and length of the record; offset of what was found, and the lengths of its
counts and its remarks."""
_ROWS = struct.Struct("<Q")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a member."""

    record: bytes
    """Nothing, where it was rejected."""
    digest: str
    """Of what a model will see of it; DIGEST_DIGITS of it."""
    counts: bytes
    """What was counted of it, as `pack_counts` writes it."""
    notes: tuple[tuple[NoteKind, str], ...] = ()
    reject: tuple[Reason, str] | None = None

    def remarks(self) -> bytes:
        """Returns notes and reject as JSON; nothing where there are none."""
        if not self.notes and self.reject is None:
            return b""
        return canonical_json([self.notes, self.reject]).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A member's line in an index."""

    id: str
    digest: str
    offset: int
    """Of its record, in the shard's uncompressed bytes."""
    length: int
    """Of the record; 0, where it was rejected."""
    found: int
    """Offset of what was found, in the index."""
    counts: int
    """How many bytes of it are counts."""
    remarks: int
    """How many are notes and reject."""


class IndexWriter:
    """Writes an index, member after member.

    Args:
      file: empty.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rows = bytearray()
        self._position = 0

    def add(self, id: str, outcome: Outcome, *, offset: int) -> None:
        """Appends a member.

        Args:
          id: greater than the one before.
          outcome: what became of it.
          offset: where its record begins in the shard.
        """
        remarks = outcome.remarks()
        self._file.write(outcome.counts + remarks)
        self._rows += _ROW.pack(
            bytes.fromhex(id),
            bytes.fromhex(outcome.digest),
            offset,
            len(outcome.record),
            self._position,
            len(outcome.counts),
            len(remarks),
        )
        self._position += len(outcome.counts) + len(remarks)

    def finish(self) -> None:
        """Writes the rows; there are no members after it."""
        self._file.write(self._rows)
        self._file.write(_ROWS.pack(len(self._rows) // _ROW.size))


class IndexReader:
    """Reads an index whose bytes are known to be those that were written.

    Args:
      data: of the whole index.

    Raises:
      ValueError: they are no index.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        if len(data) < _ROWS.size:
            raise ValueError("an index ends before it says how many rows it has")
        (self.rows,) = _ROWS.unpack_from(data, len(data) - _ROWS.size)
        self._start = len(data) - _ROWS.size - self.rows * _ROW.size
        if self._start < 0:
            raise ValueError(f"an index says that it has {self.rows} rows, more than its bytes")

    def id_at(self, position: int) -> bytes:
        """Returns the id of a row, as bytes."""
        start = self._start + position * _ROW.size
        return self._data[start : start + 32]

    def row_at(self, position: int) -> Row:
        id_, digest, *numbers = _ROW.unpack_from(self._data, self._start + position * _ROW.size)
        return Row(id_.hex(), digest.hex(), *numbers)

    def outcome_of(self, row: Row, record: bytes) -> Outcome:
        """Returns what became of a member, given its record."""
        middle = row.found + row.counts
        end = middle + row.remarks
        if end > self._start:
            raise ValueError(f"an index tells of {row.id} outside of its own bytes")
        remarks: list[Any] = json.loads(self._data[middle:end]) if row.remarks else [[], None]
        notes, reject = remarks
        return Outcome(
            record=record,
            digest=row.digest,
            counts=self._data[row.found : middle],
            notes=tuple((kind, detail) for kind, detail in notes),
            reject=None if reject is None else (reject[0], reject[1]),
        )


def pack_counts(counts: Sequence[int]) -> bytes:
    """Returns numbers in [0, 2**32) as few bytes: most are small, and many are zero."""
    return zlib.compress(np.array(counts, "<u4").tobytes(), 1)


def add_counts(totals: npt.NDArray[np.int64], packed: bytes) -> None:
    """Adds the counts of a member to the totals, which may have more numbers than it."""
    limit = totals.size * 4
    unpacked = zlib.decompressobj().decompress(packed, limit)
    counts = np.frombuffer(unpacked, "<u4")
    totals[: counts.size] += counts
