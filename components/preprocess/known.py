"""What an earlier look at a source's files has told, so that those that did not change aren't read.

A file counts as unchanged while its stamp is the same: size, times, inode and device of a local
file, generation and size of an object in a bucket. The file of what is known has a line for each
record, in the order of the listing, so that it is read beside it and never held; its last line is
the digest of the lines before.
"""

import contextlib
import hashlib
import heapq
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

_END_BYTES = 65
SETTLED_S = 2.0
"""A file that was written to so lately may be written to again without another time of it: the
coarsest file systems count in two seconds."""


class Look(NamedTuple):
    """What one look at a file tells that can become an example."""

    digest: str
    size_bytes: int
    head: bytes
    """As many of its first bytes as tell what it is."""


class Known(NamedTuple):
    """What is known of a record."""

    path: str
    stamp: str
    look: Look
    line: bytes
    """All of it, as it is written down."""

    @classmethod
    def of(cls, path: str, stamp: str, look: Look) -> "Known":
        values = [path, stamp, look.digest, look.size_bytes, look.head.hex()]
        line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
        return cls(path, stamp, look, line)

    @classmethod
    def of_line(cls, line: bytes) -> "Known":
        path, stamp, digest, size_bytes, head = _read_json(line.decode())[0]
        return cls(path, stamp, Look(digest, size_bytes, bytes.fromhex(head)), line)


_read_json = json.JSONDecoder().raw_decode
"""What json.loads calls, which takes twice as long again for what it does around it."""


class Recalled:
    """What is known, asked for in the order of the records.

    Args:
      path: of the file; None knows nothing, and so does one that is damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._lines = _read_lines(path)
        self._next = next(self._lines, None)

    def find(self, path: str) -> Known | None:
        """Returns what is known of a record's path, which is not less than the one before."""
        while self._next is not None and self._next.path < path:
            self._next = next(self._lines, None)
        if self._next is None or self._next.path != path:
            return None
        found, self._next = self._next, next(self._lines, None)
        return found


class Remembering:
    """Writes what is known, in the order of the records; a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        self._file: BinaryIO = self._path.open("wb")
        return self

    def add(self, known: Known) -> None:
        self._digest.update(known.line)
        self._file.write(known.line)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None:
                self._file.write(self._digest.hexdigest().encode() + b"\n")


def merge(newer: Sequence[Path], older: Path | None, into: Path) -> None:
    """Writes what several files know; of the same record, what the newer ones do comes first.

    Args:
      newer: of them each tells of later records than the one before.
      older: None knows nothing, and so does each file that is damaged.
      into: the file to write.
    """
    own = itertools.chain.from_iterable(map(_read_lines, newer))
    with Remembering(into) as remembering:
        for known in heapq.merge(own, _read_lines(older), key=lambda known: known.path):
            remembering.add(known)


def stamp_file(path: str) -> str | None:
    """Returns what tells a local file from what it may become; None where there is no file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    times = f"{found.st_mtime_ns}-{found.st_ctime_ns}"
    return f"{found.st_size}-{times}-{found.st_dev}-{found.st_ino}"


def is_settled(stamp: str, started: float) -> bool:
    """Tells whether a local file was last written to well before a time.

    Args:
      stamp: of the file.
      started: seconds since the epoch.
    """
    times = stamp.split("-")[1:3]
    return max(map(int, times)) < (started - SETTLED_S) * 1e9


def _is_whole(path: Path) -> bool:
    digest = hashlib.sha256()
    left = path.stat().st_size - _END_BYTES
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == digest.hexdigest().encode() + b"\n"


def _read_lines(path: Path | None) -> Iterator[Known]:
    """Yields what a file knows: nothing where there is none, or it is damaged."""
    if path is None or not _is_whole(path):
        return
    left = path.stat().st_size - _END_BYTES
    with contextlib.suppress(ValueError), path.open("rb") as file:
        while left > 0:
            line = file.readline()
            left -= len(line)
            yield Known.of_line(line)
