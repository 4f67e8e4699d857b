"""The Beam pipeline: one element is one shard, written whole; nothing is shuffled.

The engine only deals out work items. A worker decodes, resizes and encodes all members
of a shard and writes it under its final name, then the record beside it. So a repeated
or killed work item does no harm, and no examples travel between workers.
"""

from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.preprocess.ledger import ShardRecord
from components.preprocess.tasks import ShardTask

MakeShard = Callable[[ShardTask], ShardRecord]
"""Makes the shard of a task, or waits until it is made; travels to Beam's workers."""


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes one shard of one task."""

    def __init__(self, make: MakeShard) -> None:
        self._make = make

    def process(self, task: ShardTask) -> None:
        self._make(task)


def run_pipeline(tasks: Sequence[ShardTask], make: MakeShard, options: Sequence[str] = ()) -> None:
    """Makes the shards of all tasks.

    Args:
      tasks: what to make.
      make: a writer's `write`, or the `wait` of this machine's pool.
      options: Beam's own, such as `--runner=FlinkRunner`; none for this machine.
    """
    if options:
        pipeline = beam.Pipeline(options=PipelineOptions(flags=list(options)))
    else:
        # Named, not left to choose: Beam's default local runner would download a binary.
        pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(flags=[]))
    # Alone, this process has nobody to spread the tasks to.
    create = beam.Create(tasks, reshuffle=bool(options))
    with pipeline:
        _ = pipeline | "CreateTasks" >> create | "WriteShards" >> beam.ParDo(WriteShard(make))
