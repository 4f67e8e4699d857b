"""The examples that a manifest's shards hold, read without TensorFlow."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from components.common.data.records import Example, decode_example, read_records
from components.common.data.shards import damaged_shard, stage_shards
from components.common.documents.dataset import DatasetManifest, Split
from components.common.storage import Storage

__all__ = ["Example", "read_examples"]


def read_examples(manifest: DatasetManifest, split: Split, storage: Storage) -> Iterator[Example]:
    """Yields a split's examples in the order of its shards.

    Raises:
      UserError: a shard is missing or damaged.
    """
    shards = manifest.splits[split].shards
    for shard, path in zip(shards, stage_shards(storage, shards), strict=True):
        try:
            with _opened(path, manifest.compression) as file:
                for record in read_records(file, name=shard.path):
                    yield decode_example(record)
        except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged_shard(storage, shard, str(error)) from error


def _opened(path: Path, compression: str) -> IO[bytes]:
    if compression == "gzip":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")
