"""Puts one shard where it belongs: whole, under its final name, its record after it."""

import contextlib
import dataclasses
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from components.common.storage import LocalStorage, open_storage
from components.preprocess.ledger import ShardRecord, write_record
from components.preprocess.pictures import PictureSpec
from components.preprocess.shards import write_examples
from components.preprocess.sources import open_source
from components.preprocess.tasks import ShardTask


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """What a worker needs to know beside its task; it holds no connections, and travels."""

    source_root: str
    """What the members' paths are relative to."""
    data_root: str
    """Where shards go."""
    classes: int
    spec: PictureSpec
    compression: str

    def write(self, task: ShardTask) -> ShardRecord:
        """Makes the shard of a task; making it again changes nothing."""
        target = open_storage(self.data_root)
        with tempfile.TemporaryDirectory(prefix="litesmith-shard-") as folder:
            path = Path(folder, "shard")
            with _created(path, self.compression) as file:
                content = write_examples(
                    file,
                    task.members,
                    read=open_source(self.source_root),
                    classes=self.classes,
                    spec=self.spec,
                )
            size_bytes, crc32c = LocalStorage(folder).checksum(path.name)
            target.upload(path, task.path)
        record = ShardRecord(size_bytes=size_bytes, crc32c=crc32c, **dataclasses.asdict(content))
        write_record(target, task.path, record)
        return record


@contextlib.contextmanager
def _created(path: Path, compression: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if compression == "gzip":
            # Neither name nor date, so that the same records are the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                yield cast(IO[bytes], zipped)
        else:
            yield file
