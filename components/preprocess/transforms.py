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

from components.preprocess.orders import Order
from components.preprocess.writer import Effort, ShardWriter


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes the shard of one order."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer

    def process(self, order: tuple[str, str, int]) -> None:
        effort = self._writer.write(Order(*order))
        for name, count in dataclasses.asdict(effort).items():
            Metrics.counter(WriteShard, name).inc(count)


def run_pipeline(orders: Sequence[Order], writer: ShardWriter, options: Sequence[str]) -> Effort:
    """Makes the shards of all orders.

    Args:
      orders: what to make.
      writer: makes one shard; travels to the runner's workers.
      options: Beam's own, among them the runner, such as `--runner=FlinkRunner`.
    """
    pipeline = beam.Pipeline(options=PipelineOptions(flags=list(options)))
    build_graph(pipeline, orders, writer)
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace(WriteShard))["counters"]
    return Effort(**{counter.key.metric.name: counter.result for counter in counters})


def build_graph(pipeline: beam.Pipeline, orders: Sequence[Order], writer: ShardWriter) -> None:
    """Adds to a pipeline what makes the shards of all orders."""
    # As plain values: of an object the graph would name the class with every element.
    told = [dataclasses.astuple(order) for order in orders]
    shards = pipeline | "CreateOrders" >> beam.Create(told)
    _ = shards | "WriteShards" >> beam.ParDo(WriteShard(writer))
