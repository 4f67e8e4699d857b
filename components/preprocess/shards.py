"""A shard's content: its members decoded, resized, encoded and counted.

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
from components.common.tasks.image.features import Example, encode_example
from components.common.tasks.image.preparation.pictures import (
    PictureError,
    encode_picture,
    no_counts,
    prepare_picture,
)
from components.common.tasks.image.preparation.spec import PictureSpec
from components.preprocess.members import Member, MemberNote, MemberReject, ShardContent

_PICTURE_DIGITS = 24
"""96 bits: enough for no two of a thousand million pictures to be taken for the same."""


def write_shard(
    path: Path,
    members: Sequence[Member],
    *,
    read: Callable[[str], bytes],
    classes: int,
    spec: PictureSpec,
    compression: str,
    with_statistics: bool,
) -> ShardContent:
    """Writes a shard: its examples as TFRecords.

    Args:
      path: of the file to write.
      members: sorted by id.
      read: returns the bytes of a source file.
      classes: how many classes there are.
      spec: what to make of each picture.
      compression: gzip or none.
      with_statistics: whether there shall be a histogram.

    Raises:
      RuntimeError: a file's content is not the one that its id names.
    """
    counts = [0] * classes
    histogram = no_counts(spec)
    rejects, notes, digests = [], [], []
    not_square = 0
    with _created(path, compression) as file:
        for member in members:
            try:
                picture = prepare_picture(_read_member(member, read), spec)
            except PictureError as error:
                rejects.append(MemberReject(member.id, error.reason, str(error)))
                continue
            if with_statistics:
                histogram += picture.histogram()
            image = encode_picture(picture.image, spec)
            example = Example(id=member.id, image=image, label=member.label, slice=member.slice)
            write_record(file, encode_example(example))
            counts[member.label] += 1
            notes += [MemberNote(member.id, kind, detail) for kind, detail in picture.notes]
            digests.append(hashlib.sha256(image).hexdigest()[:_PICTURE_DIGITS])
            not_square += not picture.is_square
    return ShardContent(
        examples_per_class=tuple(counts),
        rejects=tuple(rejects),
        notes=tuple(notes),
        pictures=tuple(digests),
        not_square=not_square,
        histogram=tuple(tuple(channel) for channel in histogram.tolist()),
    )


def _read_member(member: Member, read: Callable[[str], bytes]) -> bytes:
    data = read(member.path)
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
