"""Puts one shard where it belongs: whole, under its final name, its record after it."""

import dataclasses
from collections.abc import Callable

from components.common.storage import SummedFile, open_storage
from components.common.tasks.making import Plan
from components.preprocess.ledger import (
    ShardRecord,
    index_name,
    open_whole_shards,
    write_record,
)
from components.preprocess.orders import Order, open_order
from components.preprocess.shards import write_shard
from components.preprocess.sources import SourceReader


@dataclasses.dataclass(frozen=True)
class Effort:
    """What was done for shards."""

    members: int = 0
    """Rejected ones, too."""
    taken_over: int = 0
    """Of them, those that were not made anew."""

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(self.members + other.members, self.taken_over + other.taken_over)


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

    def write(self, order: Order, done: Callable[[int], None] = lambda members: None) -> Effort:
        """Makes the shard of an order; making it again changes nothing.

        Args:
          order: which shard.
          done: told of so many members that were made or taken over.
        """
        target = open_storage(self.data_root)
        read = SourceReader(self.source_root, at_most=self.max_file_bytes)
        with (
            open_order(target, order) as task,
            open_whole_shards(target, task.former) as former,
            target.writing(task.path) as path,
            target.writing(index_name(task.path)) as index_path,
            SummedFile(path) as shard,
            SummedFile(index_path) as index,
        ):
            written = write_shard(
                shard,
                task.members,
                index=index,
                former=former,
                read=read,
                prepared=read.prepared,
                classes=self.classes,
                plan=self.plan,
                compression=self.compression,
                with_statistics=task.split == "train",  # Statistics are the training split's.
                done=done,
            )
        size_bytes, crc32c = shard.checksum()
        index_size_bytes, index_crc32c = index.checksum()
        record = ShardRecord(
            size_bytes=size_bytes,
            crc32c=crc32c,
            index_size_bytes=index_size_bytes,
            index_crc32c=index_crc32c,
            content=written.content,
        )
        write_record(target, task.path, record)
        return Effort(order.members, written.taken_over)
