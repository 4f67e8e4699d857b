"""The records beside the shards: which shards are there and whole, and what they hold."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from components.common.documents.base import Document
from components.common.documents.dataset import Shard
from components.common.errors import DamagedError, UserError
from components.common.process.machine import usable_cores
from components.common.storage import Storage, file_checksum
from components.preprocess.formers import Formers
from components.preprocess.members import ShardContent

if TYPE_CHECKING:
    from components.preprocess.shard_index import IndexReader

_INDEX_BYTES = 1 << 30


class ShardRecord(Document):
    """Stands beside a shard as `<shard>.json`, and is written after it."""

    file_name: ClassVar[str] = "shard.json"

    size_bytes: int
    crc32c: int
    index_size_bytes: int
    """Of the index, which stands beside it as `<shard>.index`."""
    index_crc32c: int
    content: ShardContent

    @property
    def members(self) -> int:
        """Returns how many members there were, rejected ones too."""
        return sum(self.content.examples_per_class) + len(self.content.rejects)


def write_record(storage: Storage, path: str, record: ShardRecord) -> None:
    """Writes the record of a shard that has just been written whole."""
    storage.write(_record_name(path), record.to_json().encode())


def find_whole_shards(storage: Storage, paths: Sequence[str]) -> Mapping[str, ShardRecord]:
    """Returns the records of those shards that, with their indexes, are as they were written."""

    def find(path: str) -> ShardRecord | None:
        record = _read_record(storage, path)
        # The record alone proves nothing: someone may have cut or replaced the shard after it was
        # written. A bucket knows the checksums of its objects, so nothing is downloaded for this.
        if record is None or not _is_whole(storage, path, record.size_bytes, record.crc32c):
            return None
        index = index_name(path)
        if not _is_whole(storage, index, record.index_size_bytes, record.index_crc32c):
            return None
        return record

    return _find_records(paths, find)


def read_records(storage: Storage, paths: Sequence[str]) -> Mapping[str, ShardRecord]:
    """Returns the records of shards that were written a moment ago."""
    return _find_records(paths, functools.partial(_read_record, storage))


def _find_records(
    paths: Sequence[str], find: Callable[[str], ShardRecord | None]
) -> Mapping[str, ShardRecord]:
    with _threads() as pool:
        found = list(pool.map(find, paths))
    return {path: record for path, record in zip(paths, found, strict=True) if record is not None}


@contextlib.contextmanager
def open_whole_shards(storage: Storage, paths: Sequence[str]) -> Iterator[list[tuple[Path, Path]]]:
    """Gives local paths of those shards, and of their indexes, that are as they were written.

    What lies in a bucket is copied; the copies go with the context.
    """
    with contextlib.ExitStack() as stack:
        found = []
        for path in paths:
            record = _read_record(storage, path)
            if record is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                shard = stack.enter_context(storage.reading(path))
                index = stack.enter_context(storage.reading(index_name(path)))
                if file_checksum(shard) == (record.size_bytes, record.crc32c) and file_checksum(
                    index
                ) == (record.index_size_bytes, record.index_crc32c):
                    found.append((shard, index))
        yield found


def read_formers(storage: Storage, plan: str) -> Formers:
    """Reads which shards were written last by a plan, known by its digest; none, if unknown."""
    try:
        return Formers.parse(storage.read(_formers_name(plan)))
    except (FileNotFoundError, DamagedError):
        return Formers()


def write_formers(storage: Storage, plan: str, formers: Formers) -> None:
    """Writes which shards were written last by a plan."""
    storage.write(_formers_name(plan), formers.to_json().encode())


def index_name(path: str) -> str:
    """Returns the name of a shard's index."""
    return f"{path}.index"


def read_index(storage: Storage, path: str) -> "IndexReader":
    """Reads the index of a shard that was whole a moment ago.

    Raises:
      UserError: it is missing or damaged.
    """
    from components.preprocess.shard_index import IndexReader  # NumPy, which takes a while.

    name = index_name(path)
    try:
        return IndexReader(storage.read(name, max_bytes=_INDEX_BYTES))
    except (FileNotFoundError, DamagedError, ValueError) as error:
        raise UserError(
            f"{storage.uri(name)}: was removed or damaged while the run was at work ({error}); "
            "run again, and its shard will be written anew"
        ) from error


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


def _formers_name(plan: str) -> str:
    return f"former/{plan}.json"


def _record_name(path: str) -> str:
    return f"{path}.json"


def _threads() -> ThreadPoolExecutor:
    # They wait for answers more than they compute.
    return ThreadPoolExecutor(2 * usable_cores())
