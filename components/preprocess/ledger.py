"""The records beside the shards: which shards are there and whole, and what they hold."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from components.common.documents.base import Document
from components.common.documents.dataset import Shard
from components.common.errors import DamagedError
from components.common.process.machine import usable_cores
from components.common.storage import Storage
from components.preprocess.members import ShardContent


class ShardRecord(Document):
    """Stands beside a shard as `<shard>.json`, and is written after it."""

    file_name: ClassVar[str] = "shard.json"

    size_bytes: int
    crc32c: int
    content: ShardContent

    @property
    def members(self) -> int:
        """Returns how many members there were, rejected ones too."""
        return sum(self.content.examples_per_class) + len(self.content.rejects)


def write_record(storage: Storage, path: str, record: ShardRecord) -> None:
    """Writes the record of a shard that has just been written whole."""
    storage.write(_record_name(path), record.to_json().encode())


def find_whole_shards(storage: Storage, paths: Sequence[str]) -> Mapping[str, ShardRecord]:
    """Returns the records of those shards that have the bytes they were written with."""

    def find(path: str) -> ShardRecord | None:
        record = _read_record(storage, path)
        # The record alone proves nothing: someone may have cut or replaced the shard after it was
        # written. A bucket knows the checksums of its objects, so nothing is downloaded for this.
        if record is None or not _is_whole(storage, path, record.size_bytes, record.crc32c):
            return None
        return record

    with _threads() as pool:
        found = list(pool.map(find, paths))
    return {path: record for path, record in zip(paths, found, strict=True) if record is not None}


def are_whole(storage: Storage, shards: Sequence[Shard]) -> bool:
    """Tells whether every shard of a manifest is there, with its size and checksum."""
    with _threads() as pool:
        return all(
            pool.map(
                lambda shard: _is_whole(storage, shard.path, shard.size_bytes, shard.crc32c), shards
            )
        )


def _read_record(storage: Storage, path: str) -> ShardRecord | None:
    try:
        return ShardRecord.parse(storage.read(_record_name(path)))
    except (FileNotFoundError, DamagedError):
        return None


def _is_whole(storage: Storage, path: str, size_bytes: int, crc32c: int) -> bool:
    try:
        return storage.checksum(path) == (size_bytes, crc32c)
    except FileNotFoundError:
        return False


def _record_name(path: str) -> str:
    return f"{path}.json"


def _threads() -> ThreadPoolExecutor:
    # They wait for answers more than they compute.
    return ThreadPoolExecutor(2 * usable_cores())
