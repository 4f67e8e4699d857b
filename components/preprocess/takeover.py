"""What a shard takes over from its former selves: the records of members that are still there.

A record is taken over where the former shard names the same content of a source by its digest
and was made by the same plan and code. Members that stand there one after the other under the
same labels and slices are a run, which is copied as it is. Where a label or a slice is another it
is stated anew, so that the record is, byte for byte, the one that the source's file would be made
into.
"""

import contextlib
import dataclasses
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np

from components.common.data.records import read_records
from components.common.tasks.making import Plan, relabel
from components.preprocess.members import Member
from components.preprocess.shard_index import IndexReader, Outcome, Sums, unpack_counts

_CHUNK_BYTES = 1 << 18
"""Still in the processor's cache when it is summed and written."""


class FormerShard:
    """A shard that is there, and whole.

    Args:
      file: its uncompressed records.
      index: of the shard.
      plan: what its members became.
    """

    def __init__(self, file: IO[bytes], index: IndexReader, plan: Plan) -> None:
        self.index = index
        self._file = file
        self._plan = plan
        self._position = 0
        self._taken = bytearray(index.rows)

    def find(self, member: Member) -> int | None:
        """Returns the row of a member, if it is one of the shard's.

        Args:
          member: with an id not less than the one that was asked for before.
        """
        wanted, index = bytes.fromhex(member.id), self.index
        while self._position < index.rows:
            found = index.id_at(self._position)
            if found >= wanted:
                return self._position if found == wanted else None
            self._position += 1
        return None

    def read_records(self, first: int, end: int) -> Iterator[bytes]:
        """Yields the bytes of the records of successive rows, piece by piece."""
        self._taken[first:end] = b"\1" * (end - first)
        start, stop = self.index.records_between(first, end)
        self._file.seek(start)
        while start < stop:
            chunk = self._file.read(min(_CHUNK_BYTES, stop - start))
            if not chunk:
                raise OSError("a former shard became shorter while it was read; run again")
            yield chunk
            start += len(chunk)

    def relabel(self, row: int, member: Member) -> Outcome:
        """Returns what became of a row's member, under the label and slice that it now has.

        Raises:
          ValueError: the shard is not what its index says.
        """
        start, stop = self.index.records_between(row, row + 1)
        record = b""
        if start < stop:
            self._file.seek(start)
            record = next(read_records(self._file), b"")
            record = relabel(
                record, plan=self._plan, id=member.id, label=member.label, slice=member.slice
            )
        return self.index.outcome_of(row, record)

    def add_counts(self, sums: Sums) -> None:
        """Adds to sums what was counted of the members whose records were read."""
        taken = np.frombuffer(self._taken, bool)
        # Most of them mostly are: what is left is then sooner taken off than they are added up.
        most_are = 2 * np.count_nonzero(taken) > taken.size
        if most_are:
            sums += self.index.sums
        for row in np.flatnonzero(taken != most_are).tolist():
            counts = unpack_counts(self.index.counts_of(row), most=sums.size)
            sums[: counts.size] += -counts if most_are else counts


@dataclasses.dataclass(slots=True)
class Run:
    """Successive rows of a former shard, which stay as they are."""

    shard: FormerShard
    first: int
    end: int


def find_runs(
    members: Iterable[Member], former: Sequence[FormerShard]
) -> Iterator[Run | tuple[Member, Outcome | None]]:
    """Parts members into what is taken over as it is, and the others.

    Args:
      members: sorted by id.
      former: shards that may have some of them.

    Yields:
      In the order of the members, runs, and members alone: with what became of them in a former
      shard, where only their label or slice is another.
    """
    believed = list(former)
    run: Run | None = None
    for member in members:
        shard, row = _find(member, believed)
        stays = shard is not None and shard.index.is_labelled(row, member.label, member.slice)
        if stays and run is not None and run.shard is shard and run.end == row:
            run.end += 1
            continue
        if run is not None:
            yield run
            run = None
        # The first record of a run is looked at: what an index tells of it may be another shard's.
        outcome = _relabel(member, shard, row, believed)
        if shard is not None and stays and outcome is not None:
            run = Run(shard, row, row + 1)
        else:
            yield member, outcome
    if run is not None:
        yield run


def _find(member: Member, former: Sequence[FormerShard]) -> tuple[FormerShard | None, int]:
    for shard in former:
        if (row := shard.find(member)) is not None:
            return shard, row
    return None, 0


def _relabel(
    member: Member, shard: FormerShard | None, row: int, believed: list[FormerShard]
) -> Outcome | None:
    if shard is None:
        return None
    try:
        return shard.relabel(row, member)
    except (ValueError, OSError, EOFError, zlib.error):
        believed.remove(shard)  # It is not what it says, and nothing else in it is believed.
        return None


@contextlib.contextmanager
def open_former(
    shards: Sequence[tuple[Path, Path]], *, plan: Plan, compression: str
) -> Iterator[list[FormerShard]]:
    """Opens former shards, each with its index; skips what is no index.

    Args:
      shards: paths of shard and index, whose bytes are those that were written.
      plan: what their members became.
      compression: gzip or none.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for path, index in shards:
            with contextlib.suppress(ValueError):
                rows = IndexReader(index.read_bytes())
                file = gzip.open(path) if compression == "gzip" else path.open("rb")
                stack.enter_context(file)
                opened.append(FormerShard(cast(IO[bytes], file), rows, plan))
        yield opened
