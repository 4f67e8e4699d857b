"""The Beam pipeline: one element is one shard, written whole; nothing is shuffled.

The engine only deals out work items. A worker decodes, resizes and encodes all members
of a shard and writes it under its final name, then the record beside it. So a repeated
or killed work item does no harm, and no examples travel between workers.

On this machine one Beam worker hands its bundle to a pool of plain processes. Beam's own
worker processes would each import Beam first, three seconds of a core, and would divide
the shards among themselves beforehand, however long each takes.
"""

import dataclasses
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.common.events import Events
from components.common.machine import usable_cores
from components.preprocess.ledger import ShardRecord
from components.preprocess.tasks import ShardTask
from components.preprocess.writer import ShardWriter


@dataclasses.dataclass
class Progress:
    """Counts the pictures that are done."""

    events: Events
    total: int
    done: int = 0

    def add(self, pictures: int) -> None:
        self.done += pictures
        self.events.progress(self.done, self.total, "pictures")


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes one shard of one task.

    Args:
      writer: how.
      processes: how many shards a worker makes at once.
      progress: where a worker that makes all shards tells how far it is.
    """

    def __init__(self, writer: ShardWriter, *, processes: int, progress: Progress | None):
        self._writer = writer
        self._processes = processes
        self._progress = progress
        self._pool: ProcessPoolExecutor | None = None
        self._pending: set[Future[ShardRecord]] = set()
        self._shards = Metrics.counter("preprocess", "shards")
        self._examples = Metrics.counter("preprocess", "examples")
        self._rejects = Metrics.counter("preprocess", "rejects")
        self._bytes = Metrics.counter("preprocess", "shard_bytes")

    def setup(self) -> None:
        if self._processes > 1:
            self._pool = ProcessPoolExecutor(
                self._processes, initializer=_end_without, initargs=(os.getpid(),)
            )

    def process(self, task: ShardTask) -> None:
        if self._pool is None:
            self._count(self._writer.write(task))
        else:
            self._pending.add(self._pool.submit(self._writer.write, task))

    def finish_bundle(self) -> None:
        try:
            for made in as_completed(self._pending):
                self._count(made.result())
            self._pending.clear()
        except BaseException:
            self.teardown()
            raise

    def teardown(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _count(self, record: ShardRecord) -> None:
        self._shards.inc()
        self._examples.inc(sum(record.examples_per_class))
        self._rejects.inc(len(record.rejects))
        self._bytes.inc(record.size_bytes)
        if self._progress is not None:
            self._progress.add(sum(record.examples_per_class) + len(record.rejects))


class WriteShards(beam.PTransform):  # type: ignore[misc]
    """Makes the shard of every task; the arguments are WriteShard's."""

    def __init__(
        self, writer: ShardWriter, *, processes: int = 1, progress: Progress | None = None
    ):
        super().__init__()
        self._worker = WriteShard(writer, processes=processes, progress=progress)

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        return tasks | "WriteShard" >> beam.ParDo(self._worker)


def run_pipeline(
    tasks: Sequence[ShardTask],
    writer: ShardWriter,
    *,
    events: Events,
    options: Sequence[str] = (),
) -> None:
    """Makes the shards of all tasks.

    Args:
      tasks: those that take longest first; they are begun in this order.
      writer: makes one shard.
      events: told of the progress on this machine; elsewhere Beam's counters tell.
      options: Beam's own, such as `--runner=FlinkRunner`; none for this machine's cores.
    """
    if options:
        pipeline = beam.Pipeline(options=PipelineOptions(flags=list(options)))
        create, write = beam.Create(tasks), WriteShards(writer)
    else:
        # Named, not left to choose: Beam's default local runner would download a binary.
        pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(flags=[]))
        create = beam.Create(tasks, reshuffle=False)  # There is nobody to spread them to.
        progress = Progress(events, sum(len(task.members) for task in tasks))
        processes = min(len(tasks), usable_cores())
        write = WriteShards(writer, processes=processes, progress=progress)
    with pipeline:
        _ = pipeline | "CreateTasks" >> create | "WriteShards" >> write


def _end_without(parent: int) -> None:
    """Ends this process when the one that it works for is gone, killed perhaps."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
