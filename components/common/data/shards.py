"""Shards as local files: where they lie, or copied ahead of use from a bucket.

`stage_shards` serves a reader that asks for one shard after the other. Those that lie on
this machine's file system are handed out where they are; others are downloaded in the
background while the reader is busy, into a folder that never holds more than a stated
number of bytes, and removed when the reader asks for the next one. `ShardCopies` serves a
reader that has several open at once. What is handed out is what the manifest says.
"""

import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from components.common.documents.dataset import Shard
from components.common.errors import UserError
from components.common.storage import Storage, file_checksum

STAGED_BYTES = 4 << 30
"""How much of a bucket's shards lies on the local disk at once, unless stated otherwise."""

_DOWNLOADS = 4


def stage_shards(
    storage: Storage, shards: Sequence[Shard], *, max_bytes: int = STAGED_BYTES
) -> Iterator[Path]:
    """Yields a local path for each shard, in order.

    Args:
      storage: where the shards lie.
      shards: which ones; of several workers, each gives its own.
      max_bytes: the bound on downloaded shards, the one in the reader's hands included.

    Yields:
      A path to read; where it is a copy, only until the next one is asked for.

    Raises:
      UserError: a shard is missing, is not what the manifest says, or is alone greater
        than the bound.
    """
    with (
        tempfile.TemporaryDirectory(prefix="litesmith-shards-") as folder,
        ThreadPoolExecutor(_DOWNLOADS) as pool,
    ):
        waiting = deque(shards)
        ahead: deque[tuple[Shard, Future[Path]]] = deque()
        try:
            while waiting or ahead:
                staged = sum(_copied_bytes(storage, shard) for shard, _ in ahead)
                while waiting and staged + _copied_bytes(storage, waiting[0]) <= max_bytes:
                    shard = waiting.popleft()
                    staged += _copied_bytes(storage, shard)
                    ahead.append((shard, pool.submit(_stage, storage, shard, Path(folder))))
                if not ahead:
                    raise _too_large(storage, waiting[0], max_bytes)
                shard, future = ahead[0]
                path = future.result()
                yield path
                ahead.popleft()
                if path.is_relative_to(folder):
                    path.unlink()
        finally:
            pool.shutdown(cancel_futures=True)


class ShardCopies:
    """Copies for a reader that has several shards open at once, pass after pass.

    A shard that is taken is copied, or found where an earlier pass left it, and stays until
    it has been dropped and its room is needed.

    Args:
      storage: where the shards lie.
      shards: those that may be asked for; of several workers, each gives its own.
      folder: takes the copies.
      max_bytes: the bound on them, which only shards in use at once may exceed.

    Attributes:
      failure: why a shard could not be had, for readers in which the error itself is lost.
    """

    failure: Exception | None = None

    def __init__(
        self,
        storage: Storage,
        shards: Sequence[Shard],
        folder: Path,
        *,
        max_bytes: int,
    ) -> None:
        self._storage = storage
        self._shards = {shard.path: shard for shard in shards}
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._users: Counter[str] = Counter()
        self._copies: dict[str, Future[Path]] = {}
        """In the order of their last use."""

    def take(self, name: str) -> Path:
        """Returns the path of a shard's copy, which stays until it is dropped as often.

        Raises:
          UserError: the shard is missing, or is not what the manifest says.
        """
        with self._lock:
            self._users[name] += 1
            found = self._copies.pop(name, None)
            if found is None:
                self._make_room(self._shards[name].size_bytes)
            copy = self._copies[name] = found or Future()
        if found is None:
            try:
                copy.set_result(_stage(self._storage, self._shards[name], self._folder))
            except Exception as error:
                self.failure = error
                copy.set_exception(error)
        return copy.result()

    def drop(self, name: str) -> None:
        """Says that a shard is no longer in use, by one of those who took it."""
        with self._lock:
            self._users[name] -= 1
            self._make_room(0)

    def _make_room(self, needed: int) -> None:
        held = sum(self._shards[name].size_bytes for name in self._copies)
        for name in [name for name in self._copies if not self._users[name]]:
            if held + needed <= self._max_bytes:
                return
            del self._copies[name]
            (self._folder / name).unlink(missing_ok=True)
            held -= self._shards[name].size_bytes


def _copied_bytes(storage: Storage, shard: Shard) -> int:
    return shard.size_bytes if storage.local_path(shard.path) is None else 0


def _stage(storage: Storage, shard: Shard, folder: Path) -> Path:
    path = storage.local_path(shard.path)
    try:
        if path is not None:
            # Each record of a shard has its own checksum, which its reader verifies.
            size_bytes, crc32c = path.stat().st_size, shard.crc32c
        else:
            path = folder / shard.path
            storage.download(shard.path, path)
            size_bytes, crc32c = file_checksum(path)
    except FileNotFoundError as error:
        raise damaged_shard(storage, shard, "it does not exist") from error
    if (size_bytes, crc32c) != (shard.size_bytes, shard.crc32c):
        found = f"{size_bytes} bytes, CRC-32C {crc32c:08x}"
        expected = f"{shard.size_bytes} bytes, {shard.crc32c:08x}"
        raise damaged_shard(storage, shard, f"{found} instead of {expected}")
    return path


def damaged_shard(storage: Storage, shard: Shard, detail: str) -> UserError:
    """Returns the error that says that a shard is not what the manifest names."""
    return UserError(
        f"{storage.uri(shard.path)}: the shard is missing or damaged ({detail}); run again, and "
        "preprocess will write it anew"
    )


def _too_large(storage: Storage, shard: Shard, max_bytes: int) -> UserError:
    return UserError(
        f"{storage.uri(shard.path)}: the shard's {shard.size_bytes:,} bytes are more than the "
        f"{max_bytes:,} that may be staged; state more data.shards in the recipe"
    )
