"""Shards made by a Beam runner: one element is one shard, written whole; nothing is shuffled.

The engine only deals out work items. A worker decodes, resizes and encodes all members
of a shard and writes it under its final name, then the record beside it. So a repeated
or killed work item does no harm, and no examples travel between workers.
"""

import dataclasses
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions

from components.preprocess.tasks import ShardTask
from components.preprocess.writer import Effort, ShardWriter


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes the shard of one task."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer

    def process(self, task: ShardTask) -> None:
        effort = self._writer.write(task)
        for name, count in dataclasses.asdict(effort).items():
            Metrics.counter(WriteShard, name).inc(count)


def run_pipeline(tasks: Sequence[ShardTask], writer: ShardWriter, options: Sequence[str]) -> Effort:
    """Makes the shards of all tasks.

    Args:
      tasks: what to make.
      writer: makes one shard; travels to the runner's workers.
      options: Beam's own, among them the runner, such as `--runner=FlinkRunner`.
    """
    pipeline = beam.Pipeline(options=PipelineOptions(flags=list(options)))
    shards = pipeline | "CreateTasks" >> beam.Create(tasks)
    _ = shards | "WriteShards" >> beam.ParDo(WriteShard(writer))
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace(WriteShard))["counters"]
    return Effort(**{counter.key.metric.name: counter.result for counter in counters})
