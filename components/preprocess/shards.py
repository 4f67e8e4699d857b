"""A shard's content: its members, made into examples or taken over, and counted.

This is what a worker does with one shard, whatever engine hands it out. A shard's path
holds the digest of this module's code, and of what it imports: nothing else may decide
about a shard's bytes, and nothing else belongs here.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

from components.common.data.records import write_record
from components.common.tasks.made import Unusable, Widths
from components.common.tasks.making import Maker, Plan, open_maker
from components.preprocess.members import Member, MemberNote, MemberReject, ShardContent
from components.preprocess.shard_index import (
    DIGEST_DIGITS,
    IndexWriter,
    Outcome,
    pack_counts,
    unpack_counts,
)
from components.preprocess.takeover import Run, find_runs, open_former

_AHEAD = 4096
"""As many parts of a shard are known before the first of them is made."""


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """What came of writing a shard."""

    content: ShardContent
    taken_over: int
    """How many members' records were those of former shards."""


def write_shard(
    file: IO[bytes],
    members: Iterable[Member],
    *,
    index: IO[bytes],
    former: Sequence[tuple[Path, Path]] = (),
    read: Callable[[Member], bytes],
    prepared: Callable[[Iterable[Member]], AbstractContextManager[object]] = nullcontext,
    classes: int,
    plan: Plan,
    compression: str,
    with_statistics: bool,
    done: Callable[[int], None] = lambda members: None,
) -> WrittenShard:
    """Writes a shard: its examples as TFRecords; and its index.

    Args:
      file: takes the shard; empty.
      members: sorted by id.
      index: takes the index; empty.
      former: shards of the same plan, code and statistics that may have some of the members,
        each with its index; their bytes are those that were written.
      read: returns a member's bytes as they lie in the source.
      prepared: told which members are read within its context.
      classes: how many classes there are.
      plan: what to make of each member.
      compression: gzip or none, of the former shards, too.
      with_statistics: whether what costs time is counted, too.
      done: told of so many members that were made or taken over.

    Raises:
      RuntimeError: a file's content is not the one that its id names.
    """
    maker = open_maker(plan, with_statistics=with_statistics)
    with (
        _compressed(file, compression) as records,
        open_former(former, plan=plan, compression=compression) as shards,
    ):
        draft = _Draft(records, IndexWriter(index), sum(maker.widths.values()))
        found = find_runs(members, shards)
        while parts := list(itertools.islice(found, _AHEAD)):
            anew = (part for part in parts if not isinstance(part, Run))
            with prepared(member for member, outcome in anew if outcome is None):
                for part in parts:
                    if isinstance(part, Run):
                        draft.copy(part)
                        done(part.end - part.first)
                    else:
                        member, outcome = part
                        draft.taken_over += outcome is not None
                        draft.add(member, outcome or _make(member, maker, read))
                        done(1)
        for shard in shards:
            shard.add_counts(draft.sums)
        draft.rows.finish(draft.sums)
    content = ShardContent(
        examples_per_class=draft.rows.examples_per_class(classes),
        rejects=tuple(draft.rejects),
        notes=tuple(draft.notes),
        digests=draft.rows.digests(),
        counts=_by_name(draft.sums, maker.widths),
    )
    return WrittenShard(content, draft.taken_over)


class _Draft:
    """A shard that is being written."""

    def __init__(self, file: IO[bytes], rows: IndexWriter, width: int) -> None:
        self._file, self.rows = file, rows
        self.sums = np.zeros(width, np.int64)
        self.rejects: list[MemberReject] = []
        self.notes: list[MemberNote] = []
        self.taken_over = 0

    def add(self, member: Member, outcome: Outcome) -> None:
        """Appends a member."""
        self.rows.add(member.id, outcome, label=member.label, slice=member.slice)
        if outcome.reject is None:
            write_record(self._file, outcome.record)
        counts = unpack_counts(outcome.counts, most=self.sums.size)
        self.sums[: counts.size] += counts
        self._remark(member.id, outcome)

    def copy(self, run: Run) -> None:
        """Appends what a former shard has; what was counted of it is yet to be added."""
        index = run.shard.index
        for chunk in run.shard.read_records(run.first, run.end):
            self._file.write(chunk)
        self.rows.add_rows(
            index.rows_between(run.first, run.end), index.found_between(run.first, run.end)
        )
        for row in index.remarked(run.first, run.end):
            self._remark(index.id_at(row).hex(), index.outcome_of(row, b""))
        self.taken_over += run.end - run.first

    def _remark(self, id: str, outcome: Outcome) -> None:
        if outcome.reject is not None:
            self.rejects.append(MemberReject(id, *outcome.reject))
        self.notes += [MemberNote(id, kind, detail) for kind, detail in outcome.notes]


def _make(member: Member, maker: Maker, read: Callable[[Member], bytes]) -> Outcome:
    data = _read_member(member, read)
    try:
        made = maker.make(data, id=member.id, label=member.label, slice=member.slice)
    except Unusable as error:
        reject = error.reason, str(error)
        return Outcome(b"", "0" * DIGEST_DIGITS, pack_counts([]), b"", reject=reject)
    return Outcome(
        made.record,
        made.digest[:DIGEST_DIGITS],
        pack_counts(made.counts),
        made.sketch,
        made.notes,
    )


def _by_name(totals: npt.NDArray[np.int64], widths: Widths) -> dict[str, tuple[int, ...]]:
    found, start = {}, 0
    for name, width in widths.items():
        found[name] = tuple(totals[start : start + width].tolist())
        start += width
    return found


def _read_member(member: Member, read: Callable[[Member], bytes]) -> bytes:
    data = read(member)
    # The id was taken when the source was listed. A file that was written to since then would put
    # other bytes under it, and a later run would believe them.
    if hashlib.sha256(data).hexdigest() != member.id:
        raise RuntimeError(f"{member.path}: changed while the run was reading it; run again")
    return data


@contextlib.contextmanager
def _compressed(file: IO[bytes], compression: str) -> Iterator[IO[bytes]]:
    if compression == "gzip":
        # Neither name nor date, so that the same records are the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
            yield cast(IO[bytes], zipped)
    else:
        yield file
