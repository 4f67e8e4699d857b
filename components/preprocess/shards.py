"""A shard's content: its members, made into examples or taken over, and counted.

This is what a worker does with one shard, whatever engine hands it out. A shard's path
holds the digest of this module's code, and of what it imports: nothing else may decide
about a shard's bytes, and nothing else belongs here.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    add_counts,
    pack_counts,
)
from components.preprocess.takeover import FormerShard, open_former


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """What came of writing a shard."""

    content: ShardContent
    taken_over: int
    """How many members' records were those of former shards."""


def write_shard(
    path: Path,
    members: Iterable[Member],
    *,
    index: Path,
    former: Sequence[tuple[Path, Path]] = (),
    read: Callable[[Member], bytes],
    classes: int,
    plan: Plan,
    compression: str,
    with_statistics: bool,
    done: Callable[[], None] = lambda: None,
) -> WrittenShard:
    """Writes a shard: its examples as TFRecords; and its index.

    Args:
      path: of the file to write.
      members: sorted by id.
      index: path of the index to write.
      former: shards of the same plan, code and statistics that may have some of the members,
        each with its index; their bytes are those that were written.
      read: returns a member's bytes as they lie in the source.
      classes: how many classes there are.
      plan: what to make of each member.
      compression: gzip or none, of the former shards, too.
      with_statistics: whether what costs time is counted, too.
      done: called after each member.

    Raises:
      RuntimeError: a file's content is not the one that its id names.
    """
    counts, taken_over = [0] * classes, 0
    rejects, notes, digests = [], [], []
    maker = open_maker(plan, with_statistics=with_statistics)
    totals = np.zeros(sum(maker.widths.values()), np.int64)
    with (
        _created(path, compression) as file,
        index.open("wb") as index_file,
        open_former(former, plan=plan, compression=compression) as shards,
    ):
        rows = IndexWriter(index_file)
        for member in members:
            outcome = _take_over(member, shards)
            taken_over += outcome is not None
            outcome = outcome or _make(member, maker, read)
            rows.add(member.id, outcome, offset=file.tell())
            if outcome.reject is None:
                write_record(file, outcome.record)
                counts[member.label] += 1
                add_counts(totals, outcome.counts)
                notes += [MemberNote(member.id, kind, detail) for kind, detail in outcome.notes]
                digests.append(outcome.digest)
            else:
                rejects.append(MemberReject(member.id, *outcome.reject))
            done()
        rows.finish()
    content = ShardContent(
        examples_per_class=tuple(counts),
        rejects=tuple(rejects),
        notes=tuple(notes),
        digests=tuple(digests),
        counts=_by_name(totals, maker.widths),
    )
    return WrittenShard(content, taken_over)


def _take_over(member: Member, former: list[FormerShard]) -> Outcome | None:
    for shard in list(former):
        try:
            if (outcome := shard.find(member)) is not None:
                return outcome
        except (ValueError, OSError, EOFError, zlib.error):
            former.remove(shard)  # It is not what it says, and nothing else in it is believed.
    return None


def _make(member: Member, maker: Maker, read: Callable[[Member], bytes]) -> Outcome:
    data = _read_member(member, read)
    try:
        made = maker.make(data, id=member.id, label=member.label, slice=member.slice)
    except Unusable as error:
        reject = error.reason, str(error)
        return Outcome(b"", "0" * DIGEST_DIGITS, pack_counts([]), reject=reject)
    return Outcome(made.record, made.digest[:DIGEST_DIGITS], pack_counts(made.counts), made.notes)


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
def _created(path: Path, compression: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if compression == "gzip":
            # Neither name nor date, so that the same records are the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                yield cast(IO[bytes], zipped)
        else:
            yield file
