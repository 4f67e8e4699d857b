"""What a shard takes over from its former selves: the records of members that are still there.

A record is taken over where the former shard names the same content of a source by its digest
and was made by the same plan and code. Its label and slice are stated anew, so that it is, byte
for byte, the record that the source's file would be made into.
"""

import contextlib
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from components.common.data.records import read_records
from components.common.tasks.making import Plan, relabel
from components.preprocess.members import Member
from components.preprocess.shard_index import IndexReader, Outcome


class FormerShard:
    """A shard that is there, and whole.

    Args:
      file: its uncompressed records.
      index: of the shard.
      plan: what its members became.
    """

    def __init__(self, file: IO[bytes], index: bytes, plan: Plan) -> None:
        self._file = file
        self._index = IndexReader(index)
        self._plan = plan
        self._position = 0

    def find(self, member: Member) -> Outcome | None:
        """Returns what became of a member, if it was one of the shard's.

        Args:
          member: with an id not less than the one that was asked for before.

        Raises:
          ValueError: the shard is not what its index says.
        """
        wanted, index = bytes.fromhex(member.id), self._index
        while self._position < index.rows and index.id_at(self._position) < wanted:
            self._position += 1
        if self._position == index.rows or index.id_at(self._position) != wanted:
            return None
        row = index.row_at(self._position)
        if not row.length:
            return index.outcome_of(row, b"")
        self._file.seek(row.offset)
        record = next(read_records(self._file), b"")
        record = relabel(
            record, plan=self._plan, id=member.id, label=member.label, slice=member.slice
        )
        return index.outcome_of(row, record)


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
            file = gzip.open(path) if compression == "gzip" else path.open("rb")
            stack.enter_context(file)
            with contextlib.suppress(ValueError):
                opened.append(FormerShard(cast(IO[bytes], file), index.read_bytes(), plan))
        yield opened
