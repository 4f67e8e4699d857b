"""The store of finished work, as `litesmith cache` lists and prunes it.

What may go is found by reference: an entry stays while the record of one of the latest
runs names it, or the lineage of a blessed model; a shard stays while the data set of an
entry that stays names it.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from components.common.documents import Ancestry, DatasetManifest, Record
from components.common.registry import Registry, model_names
from components.common.storage import Storage
from pipeline.runs import data_root_alone, list_runs

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
    used: float | None
    """When a run last computed it or was answered by it; None if no run folder tells."""

    @property
    def name(self) -> str:
        return f"store/{self.stage}/{self.key}"


@dataclasses.dataclass(frozen=True)
class Shards:
    """A folder of shards."""

    name: str
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class Prunable:
    """What nothing refers to any more."""

    entries: Sequence[Entry]
    shards: Sequence[Shards]

    @property
    def size_bytes(self) -> int:
        entries = sum(entry.size_bytes for entry in self.entries)
        return entries + sum(shards.size_bytes for shards in self.shards)


def list_entries(storage: Storage, data_root: Path) -> list[Entry]:
    """Returns all entries, by stage, the last made first."""
    used = _last_uses(data_root)
    sizes: dict[Place, int] = {}
    for blob in storage.list("store/"):
        _, stage, key, _ = blob.name.split("/", 3)
        sizes[stage, key] = sizes.get((stage, key), 0) + blob.size_bytes
    entries = [
        Entry(stage, key, size, _made(storage, stage, key), used.get((stage, key)))
        for (stage, key), size in sizes.items()
    ]
    return sorted(entries, key=lambda entry: (entry.stage, -(entry.made or 0), entry.key))


def prune(
    storage: Storage, registry: Storage, data_root: Path, *, keep_runs: int, dry_run: bool
) -> Prunable:
    """Removes what neither the blessed models nor the latest runs refer to.

    Args:
      storage: the data root.
      registry: the models.
      data_root: the same data root, for its run folders.
      keep_runs: how many of the latest runs keep what they refer to.
      dry_run: find out, and remove nothing.

    Raises:
      UserError: a run is going on.
    """
    with data_root_alone(data_root):
        prunable = _find_prunable(storage, registry, data_root, keep_runs)
        if not dry_run:
            for entry in prunable.entries:
                # The record first: an entry without one does not exist.
                storage.delete(f"{entry.name}/{Record.file_name}")
                storage.delete(entry.name)
            for shards in prunable.shards:
                storage.delete(shards.name)
    return prunable


def _find_prunable(
    storage: Storage, registry: Storage, data_root: Path, keep_runs: int
) -> Prunable:
    kept = {*_blessed_places(registry), *_run_places(data_root, keep_runs)}
    entries = list_entries(storage, data_root)
    kept_shards = {
        name
        for entry in entries
        if entry.stage == "preprocess" and (entry.stage, entry.key) in kept
        for name in _shard_folders(storage, entry)
    }
    return Prunable(
        entries=[entry for entry in entries if (entry.stage, entry.key) not in kept],
        shards=[shards for shards in _list_shards(storage) if shards.name not in kept_shards],
    )


def _list_shards(storage: Storage) -> Iterator[Shards]:
    sizes: dict[str, int] = {}
    for blob in storage.list("shards/"):
        folder = blob.name.rpartition("/")[0]
        sizes[folder] = sizes.get(folder, 0) + blob.size_bytes
    yield from (Shards(name, size) for name, size in sizes.items())


def _shard_folders(storage: Storage, entry: Entry) -> Iterator[str]:
    for blob in storage.list(f"{entry.name}/"):
        if blob.name.endswith(f"/{DatasetManifest.file_name}"):
            manifest = DatasetManifest.model_validate_json(storage.read(blob.name))
            for split in manifest.splits.values():
                yield from (shard.path.rpartition("/")[0] for shard in split.shards)


def _blessed_places(registry: Storage) -> Iterator[Place]:
    for model_name in model_names(registry):
        models = Registry(registry, model_name)
        pointer, _ = models.blessed()
        if pointer is not None:
            data = models.read(pointer.version, Ancestry.file_name)
            for record in Ancestry.model_validate_json(data).records:
                yield record.stage, record.key


def _run_places(data_root: Path, keep_runs: int) -> Iterator[Place]:
    for run in list_runs(data_root)[:keep_runs]:
        for task in run.tasks():
            if task.record is not None:
                yield task.record.stage, task.record.key


def _last_uses(data_root: Path) -> Mapping[Place, float]:
    uses: dict[Place, float] = {}
    for run in list_runs(data_root):
        for task in run.tasks():
            if task.record is not None:
                place = task.record.stage, task.record.key
                uses[place] = max(uses.get(place, 0.0), run.ended(task.task))
    return uses


def _made(storage: Storage, stage: str, key: str) -> float | None:
    try:
        data = storage.read(f"store/{stage}/{key}/{Record.file_name}")
        return datetime.fromisoformat(Record.model_validate_json(data).started).timestamp()
    except (FileNotFoundError, ValidationError):
        return None
