"""Puts one shard where it belongs: whole, under its final name, its record after it."""

import dataclasses
import tempfile
from pathlib import Path

from components.common.storage import file_checksum, open_storage
from components.common.tasks.making import Plan
from components.preprocess.ledger import ShardRecord, write_record
from components.preprocess.shards import write_shard
from components.preprocess.sources import open_source
from components.preprocess.tasks import ShardTask


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """What a worker needs to know beside its task; it holds no connections, and travels."""

    source_root: str
    """What the members' paths are relative to."""
    max_file_bytes: int
    data_root: str
    """Where shards go."""
    classes: int
    plan: Plan
    compression: str

    def write(self, task: ShardTask) -> ShardRecord:
        """Makes the shard of a task; making it again changes nothing."""
        target = open_storage(self.data_root)
        with tempfile.TemporaryDirectory(prefix="litesmith-shard-") as folder:
            path = Path(folder, "shard")
            content = write_shard(
                path,
                task.members,
                read=open_source(self.source_root, at_most=self.max_file_bytes),
                classes=self.classes,
                plan=self.plan,
                compression=self.compression,
                with_statistics=task.split == "train",  # Statistics are the training split's.
            )
            size_bytes, crc32c = file_checksum(path)
            target.upload(path, task.path)
        record = ShardRecord(size_bytes=size_bytes, crc32c=crc32c, content=content)
        write_record(target, task.path, record)
        return record
