"""What a run's tasks left in its folder, gathered."""

from collections.abc import Iterable, Iterator

from components.common.documents.record import Receipt, Record, TaskResult
from components.common.errors import DamagedError, pass_over
from components.common.run_context import RunContext
from components.common.storage import Storage


def collect_receipt(context: RunContext) -> Receipt:
    """Returns the results of all tasks that have ended so far; damaged ones are passed over."""
    storage = context.data()
    blobs = storage.list(f"{context.run_folder()}/tasks/")
    ended = sorted(blobs, key=lambda blob: (blob.updated, blob.name))
    tasks = tuple(_results(storage, [blob.name for blob in ended if blob.name.endswith(".json")]))
    return Receipt(run_id=context.run_id, tasks=tasks, seconds=sum(task.seconds for task in tasks))


def _results(storage: Storage, names: Iterable[str]) -> Iterator[TaskResult]:
    for name in names:
        try:
            yield TaskResult.parse(storage.read(name), name=storage.uri(name))
        except DamagedError as error:
            pass_over(error)


def find_ancestors(tasks: Iterable[TaskResult], digests: Iterable[str]) -> tuple[Record, ...]:
    """Returns the records that outputs came from, each after those it was made of.

    Args:
      tasks: of the run.
      digests: of the outputs to trace.
    """
    records = [task.record for task in tasks if task.record is not None]
    makers = {record.identity_digest or record.output_digest: record for record in records}
    found: dict[str, Record] = {}

    def trace(digests: Iterable[str]) -> Iterator[Record]:
        for digest in digests:
            record = makers.get(digest)
            if record is not None and record.key not in found:
                found[record.key] = record
                yield from trace(sorted(record.inputs.values()))
                yield record

    return tuple(trace(sorted(digests)))
