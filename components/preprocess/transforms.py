"""The Beam pipeline: one element is one shard, written whole; nothing is shuffled.

The engine only deals out work items. A worker decodes, resizes and encodes all members
of a shard and writes it under its final name, then the record beside it. So a repeated
or killed work item does no harm, and no examples travel between workers.
"""

import contextlib
import gzip
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from components.common.storage import LocalStorage, open_storage
from components.preprocess.ledger import ShardRecord, write_record
from components.preprocess.pictures import PictureSpec
from components.preprocess.shards import ShardTask, write_examples

SOURCE_BYTES_PER_WORKER = 32 << 20
"""A worker process takes as long to start as some 2,000 photographs to prepare."""


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes one shard of one task.

    Args:
      source_root: the folder that the members' paths are relative to.
      data_root: where shards go.
      classes: how many classes there are.
      spec: what to make of each picture.
      compression: gzip or none.
    """

    def __init__(
        self,
        *,
        source_root: str,
        data_root: str,
        classes: int,
        spec: PictureSpec,
        compression: str,
    ):
        self._source_root = source_root
        self._data_root = data_root
        self._classes = classes
        self._spec = spec
        self._compression = compression
        self._examples = Metrics.counter("preprocess", "examples")
        self._rejects = Metrics.counter("preprocess", "rejects")
        self._bytes = Metrics.counter("preprocess", "shard_bytes")

    def process(self, task: ShardTask) -> Iterator[str]:
        record = self.write(task)
        self._examples.inc(sum(record.examples_per_class))
        self._rejects.inc(len(record.rejects))
        self._bytes.inc(record.size_bytes)
        yield task.path

    def write(self, task: ShardTask) -> ShardRecord:
        """Writes a shard, and its record after it."""
        source, target = open_storage(self._source_root), open_storage(self._data_root)
        with tempfile.TemporaryDirectory(prefix="litesmith-shard-") as folder:
            path = Path(folder, "shard")
            with _created(path, self._compression) as file:
                content = write_examples(
                    file, task.members, read=source.read, classes=self._classes, spec=self._spec
                )
            size_bytes, crc32c = LocalStorage(folder).checksum(path.name)
            target.upload(path, task.path)
        record = ShardRecord(**content.model_dump(), size_bytes=size_bytes, crc32c=crc32c)
        write_record(target, task.path, record)
        return record


class WriteShards(beam.PTransform):  # type: ignore[misc]
    """Makes every shard; yields their paths."""

    def __init__(self, writer: WriteShard):
        super().__init__()
        self._writer = writer

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        return tasks | "WriteShard" >> beam.ParDo(self._writer)


def run_pipeline(
    tasks: Sequence[ShardTask], writer: WriteShard, *, options: PipelineOptions | None = None
) -> None:
    """Makes the shards of all tasks.

    Args:
      tasks: largest first, where they differ: work items are dealt out in this order.
      writer: makes one shard.
      options: name a Beam runner; None runs on this machine's cores.
    """
    # Named, never left to choose: Beam's default local runner would download a binary.
    runner = None
    if options is None:
        workers = _local_workers(tasks)
        options = PipelineOptions(flags=[], direct_num_workers=workers)
        runner = FnApiRunner(default_environment=_worker_environment(workers))
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = pipeline | "CreateTasks" >> beam.Create(tasks) | "WriteShards" >> WriteShards(writer)


def _local_workers(tasks: Sequence[ShardTask]) -> int:
    """Returns how many processes pay: one is this process itself."""
    source_bytes = sum(task.source_bytes for task in tasks)
    useful = min(len(tasks), source_bytes // SOURCE_BYTES_PER_WORKER)
    return max(1, min(useful, len(os.sched_getaffinity(0))))


def _worker_environment(workers: int) -> SubprocessSDKEnvironment | None:
    if workers == 1:
        return None
    # -P: a `components.py` in the working folder must not stand in for litesmith's.
    command = f"{shlex.quote(sys.executable)} -P -m apache_beam.runners.worker.sdk_worker_main"
    return SubprocessSDKEnvironment.from_command_string(command)


@contextlib.contextmanager
def _created(path: Path, compression: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if compression == "gzip":
            # Neither name nor date, so that the same records are the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                yield cast(IO[bytes], zipped)
        else:
            yield file
