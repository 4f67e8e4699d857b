"""What a Beam runner shares out: one element is one shard, or one part of a source to look at.

The engine only deals out work items; nothing is shuffled. A worker decodes, resizes and encodes all
members of a shard and writes it under its final name, then the record beside it. So a repeated or
killed work item does no harm, and no examples travel between workers.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions

from components.preprocess.orders import Order
from components.preprocess.shared_looks import Part, PartLooker
from components.preprocess.writer import Effort, ShardWriter


class WriteShard(beam.DoFn):  # type: ignore[misc]
    """Makes the shard of one order."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer

    def process(self, order: tuple[str, str, int]) -> None:
        effort = self._writer.write(Order(*order))
        for name, count in dataclasses.asdict(effort).items():
            Metrics.counter(WriteShard, name).inc(count)


class LookAtPart(beam.DoFn):  # type: ignore[misc]
    """Looks at the files of one part of a source."""

    def __init__(self, looker: PartLooker) -> None:
        self._looker = looker

    def process(self, part: tuple[str, str]) -> None:
        self._looker.look(Part(*part))


def run_pipeline(orders: Sequence[Order], writer: ShardWriter, options: Sequence[str]) -> Effort:
    """Makes the shards of all orders.

    Args:
      orders: what to make.
      writer: makes one shard; travels to the runner's workers.
      options: Beam's own, among them the runner, such as `--runner=FlinkRunner`.
    """
    pipeline = _open_pipeline(options)
    build_graph(pipeline, orders, writer)
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace(WriteShard))["counters"]
    return Effort(**{counter.key.metric.name: counter.result for counter in counters})


def build_graph(pipeline: beam.Pipeline, orders: Sequence[Order], writer: ShardWriter) -> None:
    """Adds to a pipeline what makes the shards of all orders."""
    shards = pipeline | "CreateOrders" >> beam.Create(_as_values(orders))
    _ = shards | "WriteShards" >> beam.ParDo(WriteShard(writer))


def run_looks(parts: Sequence[Part], looker: PartLooker, options: Sequence[str]) -> None:
    """Looks at all parts of a source.

    Args:
      parts: what to look at.
      looker: looks at one; travels to the runner's workers.
      options: as of run_pipeline.
    """
    pipeline = _open_pipeline(options)
    told = pipeline | "CreateParts" >> beam.Create(_as_values(parts))
    _ = told | "LookAtParts" >> beam.ParDo(LookAtPart(looker))
    pipeline.run().wait_until_finish()


def _open_pipeline(options: Sequence[str]) -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions(flags=list(options)))


def _as_values(elements: Sequence[Order] | Sequence[Part]) -> list[tuple[Any, ...]]:
    """Returns elements as plain values: of an object the graph would name the class each time."""
    return [dataclasses.astuple(element) for element in elements]
