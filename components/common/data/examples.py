"""The records that a manifest's shards hold, read without TensorFlow."""

import gzip
import zlib
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import IO, Protocol, TypeVar

from components.common.data.records import read_records
from components.common.data.shards import damaged_shard, stage_shards
from components.common.documents.dataset import DatasetManifest, Split
from components.common.storage import Storage

T = TypeVar("T")


class Labelled(Protocol):
    """What is known of an example, beside what a model sees of it."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> int: ...

    @property
    def slice(self) -> str: ...


def read_split(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    decode: Callable[[bytes], T],
    *,
    of: Container[str] | None = None,
) -> Iterator[T]:
    """Yields what a function makes of each record of a split, in the order of its shards.

    Args:
      manifest: the data set.
      split: which part of it.
      storage: where the shards lie.
      decode: raises a ValueError where a record is not what it expects.
      of: paths of the shards to read; None reads all.

    Raises:
      UserError: a shard is missing or damaged.
    """
    shards = [shard for shard in manifest.splits[split].shards if of is None or shard.path in of]
    for shard, path in zip(shards, stage_shards(storage, shards), strict=True):
        try:
            with _opened(path, manifest.compression) as file:
                for record in read_records(file, name=shard.path):
                    yield decode(record)
        except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged_shard(storage, shard, str(error)) from error


def _opened(path: Path, compression: str) -> IO[bytes]:
    if compression == "gzip":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")
