"""One look at each file of a listing: its digest, its size, its first bytes, or why there are none.

What is known of a file that did not change is believed instead.
"""

import dataclasses
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from components.common.documents.rejects import Reason
from components.common.process.machine import usable_cores
from components.common.tasks.sources import Sources
from components.preprocess.files import NotAFileError, TooLargeError, read_chunks, too_large
from components.preprocess.known import (
    Known,
    Look,
    Recalled,
    Remembering,
    is_settled,
    stamp_file,
)
from components.preprocess.places import Placed, is_remote
from components.preprocess.sources import Listing, ObjectStamps, SourceReader, SourceRecord

MISNAMED = "no file can be opened by this name; rename it"


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Why a file can't be digested."""

    reason: Reason
    detail: str


@dataclasses.dataclass(frozen=True)
class Memory:
    """Where what is known of a source's files lies; both on this machine."""

    recalled: Path | None
    """What an earlier look has left; None where every file is to be read."""
    left: Path
    """What this look leaves."""


_BATCH = 64  # Files that a thread takes at once: a future costs as much as digesting one.
_AHEAD = 4  # Batches for each thread that are under way, or wait to be taken.
_QUICK_S = 0.0005  # For a file: what half a megabyte takes that lies in memory.
BUCKET_THREADS = 32
"""Of a process that reads a bucket: they wait for answers most of the time."""


def look_at_files(
    listing: Listing,
    *,
    max_file_bytes: int,
    sources: Sources,
    memory: Memory | None = None,
    report: Callable[[int, int], None],
) -> Iterator[tuple[SourceRecord, Look | Problem]]:
    """Looks at all files, in the order of the records.

    Threads do, where files are large or slow to come: reading and hashing release the interpreter's
    lock. Over small files threads only contend for it, and take twice the time of one.

    Args:
      listing: what to look at.
      max_file_bytes: a local file that has more is a problem unread, and so is a text of more.
      sources: what the files should be.
      memory: of earlier looks at files; None reads all.
      report: called with the number of files looked at, and of all.
    """
    looker = Looker(listing.root, max_file_bytes, sources)
    if memory is None:
        yield from _look_at_all(listing, looker, Recalled(None), report)
        return
    with Remembering(memory.left) as remembering:
        found = _look_at_all(listing, looker, Recalled(memory.recalled), report, remembering)
        yield from found


def _look_at_all(
    listing: Listing,
    looker: "Looker",
    recalled: Recalled,
    report: Callable[[int, int], None],
    remembering: Remembering | None = None,
) -> Iterator[tuple[SourceRecord, Look | Problem]]:
    records, done = listing.records, 0
    stamps = ObjectStamps(listing.root) if remembering and is_remote(listing.root) else None
    threads = BUCKET_THREADS if is_remote(listing.root) else usable_cores()
    under_way: deque[tuple[Sequence[SourceRecord], Future[list[Seen]]]] = deque()
    quick = not is_remote(listing.root)
    batches = (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))
    with ThreadPoolExecutor(threads) as pool:
        more = True
        while more or under_way:
            batch = next(batches, ())
            more = bool(batch)
            if batch:
                known = [recalled.find(record.path) for record in batch]
                told = [stamps.find(record) for record in batch] if stamps else [None] * len(batch)
                if quick:
                    job, started = Future[list[Seen]](), time.perf_counter()
                    job.set_result(looker.look_at_batch(batch, known, told))
                    quick = time.perf_counter() - started < _QUICK_S * len(batch)
                else:
                    job = pool.submit(looker.look_at_batch, batch, known, told)
                under_way.append((batch, job))
            if under_way and (not more or len(under_way) >= threads * _AHEAD):
                taken, future = under_way.popleft()
                done += len(taken)
                for record, seen in zip(taken, future.result(), strict=True):
                    if remembering is not None and seen.known is not None:
                        remembering.add(seen.known)
                    yield record, seen.look
                report(done, len(records))


class Seen(NamedTuple):
    """A look, and what to know of it next time."""

    look: Look | Problem
    known: Known | None = None


class Looker:
    """Looks at records; any thread may ask.

    Args:
      root: of the listing.
      max_file_bytes: a local file that has more is a problem unread, and so is a text of more.
      sources: what the files should be.
    """

    def __init__(self, root: str, max_file_bytes: int, sources: Sources) -> None:
        self._root, self._most, self._sources = root, max_file_bytes, sources
        self._remote = is_remote(root)
        self._whole = SourceReader(root, at_most=max_file_bytes)
        self._started = time.time()

    def look_at_batch(
        self,
        records: Sequence[SourceRecord],
        known: Sequence[Known | None],
        stamps: Sequence[str | None],
    ) -> list[Seen]:
        return [self.look_at(*each) for each in zip(records, known, stamps, strict=True)]

    def look_at(self, record: SourceRecord, known: Known | None, stamp: str | None) -> Seen:
        """Looks at a record, unless it did not change.

        Args:
          record: of the listing.
          known: of the record, from earlier looks.
          stamp: of an object, as ObjectStamps tells it.
        """
        if record.text is not None:
            return Seen(self._look_at_text(record.text))
        if not self._remote:
            stamp = stamp_file(os.path.join(self._root, _file_of(record)))
        stamp = stamp and stamp_within(stamp, record)
        if known is not None and known.stamp == stamp and known.look.size_bytes <= self._most:
            return Seen(known.look, known)
        look = self._read(record)
        if stamp is None or isinstance(look, Problem):
            return Seen(look)
        if not self._remote and not is_settled(stamp, self._started):
            return Seen(look)
        return Seen(look, Known.of(record.path, stamp, look))

    def _read(self, record: SourceRecord) -> Look | Problem:
        digest = hashlib.sha256()
        head, size_bytes = b"", 0
        try:
            for chunk in self._chunks(record):
                head = head or chunk[: self._sources.HEAD_BYTES]
                size_bytes += len(chunk)
                digest.update(chunk)
        except (FileNotFoundError, NotADirectoryError):
            return Problem("missing", "there is no such file")
        except TooLargeError as error:
            return Problem("oversized", error.strerror or "")
        except NotAFileError as error:
            return Problem("unreadable", error.strerror or "")
        except ValueError:
            return Problem("misnamed", MISNAMED)
        except OSError as error:  # No permission, a failing disk, a damaged part of a container.
            return Problem("unreadable", f"it can't be read: {error.strerror or error}")
        return Look(digest.hexdigest(), size_bytes, self._sources.trim(head))

    def _chunks(self, record: SourceRecord) -> Iterable[bytes]:
        """Reads a file piece by piece, so that a stray film does no harm."""
        if record.place is not None or self._remote:
            return [self._whole(record)]
        return read_chunks(Path(self._root, record.path), at_most=self._most)

    def _look_at_text(self, text: str) -> Look | Problem:
        """Looks at a text that a list holds."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return Problem("unreadable", "holds half of a character, which is no UTF-8 text")
        if len(data) > self._most:
            detail = too_large(f"{len(data)} bytes", self._most).strerror or ""
            return Problem("oversized", detail)
        head = self._sources.trim(data[: self._sources.HEAD_BYTES])
        return Look(hashlib.sha256(data).hexdigest(), len(data), head)


def stamp_within(stamp: str, record: Placed) -> str:
    """Returns the stamp of a record, given that of the file that it is, or lies in."""
    return stamp if record.place is None else f"{stamp} {record.place}"


def _file_of(record: Placed) -> str:
    return record.path if record.place is None else record.place.file
