"""Looks at a bucket's files, shared among a Beam runner's workers.

To tell what a file holds takes reading all of it, and one process needs half an hour for a
million pictures. So the records of which nothing is known are parted, and the parts stand in the
data root. A worker looks at one part and leaves beside it what it has seen, as the data root
remembers earlier looks (`known.py`); the driver believes it as it believes those.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.common.digests import file_digest
from components.common.documents.dataset import TaskName
from components.common.errors import DamagedError
from components.common.storage import Storage, open_storage
from components.common.tasks.sources import sources_of
from components.common.words.terminal import say
from components.preprocess.known import Known, Recalled, Remembering, merge
from components.preprocess.looking import BUCKET_THREADS, Looker, Memory, stamp_within
from components.preprocess.places import read_place, tell_place
from components.preprocess.sources import Listing, ObjectStamps, SourceRecord

PART_RECORDS = 4096
"""Of a part. Fewer the driver reads sooner than a runner's workers have begun."""

_Stamped = tuple[SourceRecord, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Records to look at."""

    name: str
    """Of the file that names them, relative to the data root."""
    sha256: str
    """Of its bytes."""


@dataclasses.dataclass(frozen=True)
class PartLooker:
    """What a worker needs to know beside its part; it holds no connections, and travels."""

    source_root: str
    max_file_bytes: int
    task: TaskName
    """Whose examples the files should be."""
    data_root: str
    """Where parts lie."""

    def look(self, part: Part) -> None:
        """Looks at the records of a part; doing it again changes nothing.

        Raises:
          DamagedError: the part is not the one that was written.
        """
        storage = open_storage(self.data_root)
        looker = Looker(self.source_root, self.max_file_bytes, sources_of(self.task))

        def look_at(stamped: _Stamped) -> Known | None:
            record, stamp = stamped
            return looker.look_at(record, None, stamp).known

        with storage.reading(part.name) as asked, storage.writing(_name_seen(part)) as seen:
            if file_digest(asked) != part.sha256:
                raise DamagedError(f"{storage.uri(part.name)}: was changed; run again")
            with Remembering(seen) as remembering, ThreadPoolExecutor(BUCKET_THREADS) as pool:
                for known in pool.map(look_at, _read(asked)):
                    if known is not None:  # Why one can't be read, the driver finds out itself.
                        remembering.add(known)


def share_looks(
    listing: Listing,
    memory: Memory,
    looker: PartLooker,
    *,
    folder: str,
    options: Sequence[str],
) -> Memory:
    """Has workers look at the files of a bucket that are not known, where these are many.

    Args:
      listing: of the bucket.
      memory: of earlier looks.
      looker: looks at one part.
      folder: where parts are written, relative to the data root.
      options: Beam's own, among them the runner.

    Returns:
      A memory of these looks, too.
    """
    unknown = _find_unknown(listing, memory.recalled)
    first = list(itertools.islice(unknown, PART_RECORDS))
    if len(first) < PART_RECORDS:
        return memory
    from components.preprocess.transforms import run_looks  # Beam takes 2 s.

    storage, place = open_storage(looker.data_root), f"{folder}/{uuid.uuid4().hex}"
    found = memory.left.with_name("shared")
    try:
        parts = [
            _place(storage, f"{place}/{number:06d}", records)
            for number, records in enumerate(_part(itertools.chain(first, unknown)))
        ]
        say(f"workers read {len(parts)} parts of the source, of {PART_RECORDS} files at most")
        run_looks(parts, looker, options)
        with contextlib.ExitStack() as stack:
            seen = [stack.enter_context(storage.reading(_name_seen(part))) for part in parts]
            merge(seen, memory.recalled, found)
    finally:
        storage.delete(place)
    return dataclasses.replace(memory, recalled=found)


def _find_unknown(listing: Listing, known: Path | None) -> Iterator[_Stamped]:
    """Yields the records that are to be read, in their order."""
    recalled, stamps = Recalled(known), ObjectStamps(listing.root)
    for record in listing.records:
        found, stamp = recalled.find(record.path), stamps.find(record)
        if record.text is None and not record.misnamed and stamp is not None:
            if found is None or found.stamp != stamp_within(stamp, record):
                yield record, stamp


def _part(records: Iterator[_Stamped]) -> Iterator[list[_Stamped]]:
    while part := list(itertools.islice(records, PART_RECORDS)):
        yield part


def _place(storage: Storage, name: str, records: Sequence[_Stamped]) -> Part:
    told = [[record.path, tell_place(record.place), stamp] for record, stamp in records]
    data = json.dumps(told, separators=(",", ":")).encode()
    with storage.writing(name) as path:
        path.write_bytes(data)
    return Part(name, hashlib.sha256(data).hexdigest())


def _read(path: Path) -> Iterator[_Stamped]:
    for name, place, stamp in json.loads(path.read_bytes()):
        yield SourceRecord(name, label=None, place=read_place(place)), stamp


def _name_seen(part: Part) -> str:
    return f"{part.name}.seen"
