"""The store of finished work, as `litesmith cache` lists and prunes it.

What may go is found by reference: an entry stays while the record of one of the latest
runs names it, or the lineage of a blessed model; a shard stays while the data set of an
entry that stays names it. The states of a training that never ended go when none was
added for days: one that goes on adds one every few minutes. So do the orders of a preprocess
that was killed; and what only spares reading a source or asking a model again goes when a month has
not touched it.
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TypeVar

from components.common.documents.base import Document
from components.common.documents.dataset import DatasetManifest
from components.common.documents.near_copies import NearCopies
from components.common.documents.record import Record, TaskResult
from components.common.documents.release import Ancestry
from components.common.errors import DamagedError, UserError, pass_over
from components.common.registry import Registry, model_names
from components.common.storage import Blob, Storage

_READERS = 16  # At once: a bucket takes a tenth of a second for each object.

ABANDONED_S = 3 * 86400
"""A training that has kept no state for so long is not going on, and a preprocess has ended."""
_UNFINISHED = ("checkpoints/*/*", "launches/*/*", "runs/*/orders")

FORGOTTEN_S = 30 * 86400
"""A source that has not changed for so long is read again, or nobody asks for it."""
_HINTS = ("digests/*", "former/*", "answers/*")
"""What is known of sources' files, which shards were a plan's last, and what a blessed model has
answered: files, not folders."""

D = TypeVar("D", bound=Document)

Place = tuple[str, str]
"""An entry's stage and key."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A finished computation in the store."""

    stage: str
    key: str
    size_bytes: int
    made: float | None
    """Seconds since the epoch; None for what a killed run left unfinished."""
    written: float
    """When its newest file was."""
    used: float | None
    """When a run last computed it or was answered by it; None if no run folder tells."""

    @property
    def name(self) -> str:
        return f"store/{self.stage}/{self.key}"


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of shards, of a training's states or launch, or of orders; or a file of hints."""

    name: str
    size_bytes: int
    written: float
    """When its newest file was."""


@dataclasses.dataclass(frozen=True)
class Prunable:
    """What nothing refers to any more."""

    entries: Sequence[Entry]
    shards: Sequence[Folder]
    unfinished: Sequence[Folder]
    """What trainings that nobody went on with, and preprocesses that were killed, have left."""
    hints: Sequence[Folder] = ()
    """What spares reading a source, or asking a model, again that nobody has for long."""

    @property
    def size_bytes(self) -> int:
        entries = sum(entry.size_bytes for entry in self.entries)
        folders = [*self.shards, *self.unfinished, *self.hints]
        return entries + sum(folder.size_bytes for folder in folders)


def list_entries(storage: Storage) -> list[Entry]:
    """Returns all entries, by stage, the last made first."""
    return _list_entries(storage, _last_uses(storage))


def prune(
    storage: Storage, registry: Storage, *, keep_runs: int, dry_run: bool, spare_s: float = 0.0
) -> Prunable:
    """Removes what neither the blessed models nor the latest runs refer to.

    Args:
      storage: the data root.
      registry: the models.
      keep_runs: how many of the latest runs keep what they refer to.
      dry_run: find out, and remove nothing.
      spare_s: leave what was written within so many seconds, where runs may go on that
        have not said yet what they use.
    """
    prunable = _find_prunable(storage, registry, keep_runs, written_before=time.time() - spare_s)
    if not dry_run:
        for entry in prunable.entries:
            # The record first: an entry without one does not exist.
            storage.delete(f"{entry.name}/{Record.file_name}")
            storage.delete(entry.name)
        for folder in [*prunable.shards, *prunable.unfinished, *prunable.hints]:
            storage.delete(folder.name)
    return prunable


def _find_prunable(
    storage: Storage, registry: Storage, keep_runs: int, *, written_before: float
) -> Prunable:
    kept = {*_blessed_places(registry), *_run_places(storage, keep_runs)}
    entries = _list_entries(storage, {})
    kept_shards = {
        name
        for entry in entries
        if entry.stage == "preprocess" and (entry.stage, entry.key) in kept
        for name in _shard_folders(storage, entry)
    }
    return Prunable(
        entries=[
            entry
            for entry in entries
            if (entry.stage, entry.key) not in kept and entry.written <= written_before
        ],
        shards=[
            shards
            for shards in _list_folders(storage, "shards/*")
            if shards.name not in kept_shards and shards.written <= written_before
        ],
        unfinished=_list_untouched(storage, _UNFINISHED, ABANDONED_S),
        hints=_list_untouched(storage, _HINTS, FORGOTTEN_S),
    )


def _list_untouched(storage: Storage, places: Sequence[str], seconds: float) -> list[Folder]:
    """Returns what lies in places and was not written to for so long."""
    return [
        folder
        for place in places
        for folder in _list_folders(storage, place)
        if folder.written <= time.time() - seconds
    ]


def _list_entries(storage: Storage, used: Mapping[Place, float]) -> list[Entry]:
    found: dict[Place, list[Blob]] = {}
    for blob in storage.list("store/"):
        parts = blob.name.split("/", 3)
        if len(parts) == 4:  # Else it is none of ours, such as what a file manager leaves.
            found.setdefault((parts[1], parts[2]), []).append(blob)
    with ThreadPoolExecutor(_READERS) as pool:
        made = pool.map(lambda place: _made(storage, *place), found)
        entries = [
            Entry(stage, key, _size(blobs), when, _newest(blobs), used.get((stage, key)))
            for ((stage, key), blobs), when in zip(found.items(), made, strict=True)
        ]
    return sorted(entries, key=lambda entry: (entry.stage, -(entry.made or 0), entry.key))


def _list_folders(storage: Storage, place: str) -> Iterator[Folder]:
    """Yields the folders of a place, such as `shards/*`, with all that is below them; files too."""
    parts = place.count("/") + 1
    found: dict[str, list[Blob]] = {}
    for blob in storage.list(place.partition("*")[0]):
        name = "/".join(blob.name.split("/")[:parts])
        if name.count("/") == parts - 1 and fnmatchcase(name, place):
            found.setdefault(name, []).append(blob)
    yield from (Folder(name, _size(blobs), _newest(blobs)) for name, blobs in found.items())


def _size(blobs: Iterable[Blob]) -> int:
    return sum(blob.size_bytes for blob in blobs)


def _newest(blobs: Iterable[Blob]) -> float:
    return max(blob.updated for blob in blobs)


def _shard_folders(storage: Storage, entry: Entry) -> Iterator[str]:
    for blob in storage.list(f"{entry.name}/"):
        if blob.name.endswith(f"/{DatasetManifest.file_name}"):
            manifest = _parse(DatasetManifest, storage, blob.name)
            for split in manifest.splits.values() if manifest is not None else ():
                yield from (shard.path.rpartition("/")[0] for shard in split.shards)
        if blob.name.endswith(f"/{NearCopies.file_name}"):
            near_copies = _parse(NearCopies, storage, blob.name)
            for shards in near_copies.shards.values() if near_copies is not None else ():
                yield from (shard.path.rpartition("/")[0] for shard in shards)


def _blessed_places(registry: Storage) -> Iterator[Place]:
    for model_name in model_names(registry):
        models = Registry(registry, model_name)
        try:
            pointer, _ = models.blessed()
            if pointer is None:
                continue
            ancestry = Ancestry.parse(models.read(pointer.version, Ancestry.file_name))
        except (UserError, FileNotFoundError) as error:
            pass_over(error)
            continue
        for record in ancestry.records:
            yield record.stage, record.key


def _run_places(storage: Storage, keep_runs: int) -> Iterator[Place]:
    runs: dict[str, list[Blob]] = {}
    for blob in storage.list("runs/"):
        run_id, _, file_name = blob.name.removeprefix("runs/").partition("/")
        if file_name:
            runs.setdefault(run_id, []).append(blob)
    # By time: the runs of a cluster's schedule have ids that do not sort by it.
    latest = sorted(runs.values(), key=_newest, reverse=True)[:keep_runs]
    yield from _read_uses(storage, [blob for blobs in latest for blob in blobs])


def _last_uses(storage: Storage) -> Mapping[Place, float]:
    return _read_uses(storage, list(storage.list("runs/")))


def _read_uses(storage: Storage, blobs: Iterable[Blob]) -> Mapping[Place, float]:
    """Returns when the tasks ended whose results are among objects, by what they used."""
    results = [
        blob
        for blob in blobs
        if blob.name.split("/")[2:3] == ["tasks"] and blob.name.endswith(".json")
    ]
    uses: dict[Place, float] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        parsed = pool.map(lambda blob: _parse(TaskResult, storage, blob.name), results)
        for blob, result in zip(results, parsed, strict=True):
            if result is not None and (record := result.record) is not None:
                place = record.stage, record.key
                uses[place] = max(uses.get(place, 0.0), blob.updated)
    return uses


def _made(storage: Storage, stage: str, key: str) -> float | None:
    record = _parse(Record, storage, f"store/{stage}/{key}/{Record.file_name}")
    return datetime.fromisoformat(record.started).timestamp() if record is not None else None


def _parse(kind: type[D], storage: Storage, name: str) -> D | None:
    """Returns a document; None where there is none, or a damaged one, which is named."""
    try:
        return kind.parse(storage.read(name), name=storage.uri(name))
    except FileNotFoundError:
        return None
    except DamagedError as error:
        pass_over(error)
        return None
