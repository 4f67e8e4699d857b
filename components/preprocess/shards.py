"""A shard's content: its members, made into examples and counted.

This is what a worker does with one shard, whatever engine hands it out. A shard's path
holds the digest of this module's code, and of what it imports: nothing else may decide
about a shard's bytes, and nothing else belongs here.
"""

import contextlib
import gzip
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from components.common.data.records import write_record
from components.common.tasks.made import Unusable
from components.common.tasks.making import Plan, open_maker
from components.preprocess.members import Member, MemberNote, MemberReject, ShardContent

_DIGITS = 24
"""96 bits: enough for no two of a thousand million examples to be taken for the same."""


def write_shard(
    path: Path,
    members: Sequence[Member],
    *,
    read: Callable[[Member], bytes],
    classes: int,
    plan: Plan,
    compression: str,
    with_statistics: bool,
) -> ShardContent:
    """Writes a shard: its examples as TFRecords.

    Args:
      path: of the file to write.
      members: sorted by id.
      read: returns a member's bytes as they lie in the source.
      classes: how many classes there are.
      plan: what to make of each member.
      compression: gzip or none.
      with_statistics: whether what costs time is counted, too.

    Raises:
      RuntimeError: a file's content is not the one that its id names.
    """
    counts = [0] * classes
    rejects, notes, digests = [], [], []
    maker = open_maker(plan, with_statistics=with_statistics)
    with _created(path, compression) as file:
        for member in members:
            data = _read_member(member, read)
            try:
                made = maker.make(data, id=member.id, label=member.label, slice=member.slice)
            except Unusable as error:
                rejects.append(MemberReject(member.id, error.reason, str(error)))
                continue
            write_record(file, made.record)
            counts[member.label] += 1
            notes += [MemberNote(member.id, kind, detail) for kind, detail in made.notes]
            digests.append(made.digest[:_DIGITS])
    return ShardContent(
        examples_per_class=tuple(counts),
        rejects=tuple(rejects),
        notes=tuple(notes),
        digests=tuple(digests),
        counts={name: tuple(numbers) for name, numbers in maker.counts().items()},
    )


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
