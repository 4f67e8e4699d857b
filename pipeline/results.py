"""What a run came to, read from its folder and the store wherever these lie.

A run's folder holds the result of each task; a result names its record, and the record the
stored output. So figures of a run on a cluster are read as those of a local one.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from components.common.documents import (
    Benchmark,
    Candidate,
    Decision,
    Document,
    Estimate,
    Evaluation,
    Part,
    Published,
    Release,
    TaskResult,
)
from components.common.errors import DamagedError, UserError
from components.common.receipts import collect_receipt
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.common.store import Store
from pipeline.runs import CandidateSummary, RunSummary

D = TypeVar("D", bound=Document)


class BlessedSummary(Part):
    """The model that was blessed before the run."""

    version: str
    candidate_id: str
    accuracy: Estimate | None
    size_bytes: int
    zipped_bytes: int
    latency_ms: float | None
    """As it was measured when it was released, maybe on another machine."""


class RunResults(Part):
    """The tasks of a run, and its candidates beside the model that was blessed before."""

    decision: Decision | None
    candidates: tuple[CandidateSummary, ...]
    blessed: BlessedSummary | None
    tasks: tuple[TaskResult, ...]


def read_results(context: RunContext) -> RunResults:
    """Reads what a run's tasks left.

    Args:
      context: of the run.

    Raises:
      UserError: the data root can't be read from here.
    """
    tasks = collect_receipt(context).tasks
    try:
        data = context.data().read(f"{context.run_folder()}/{Decision.file_name}")
    except FileNotFoundError:
        return RunResults(decision=None, candidates=(), blessed=None, tasks=tasks)
    decision = Decision.parse(data)
    return RunResults(
        decision=decision,
        candidates=tuple(_candidates(context, decision, tasks)),
        blessed=_blessed(context, decision),
        tasks=tasks,
    )


def summarize(context: RunContext) -> RunSummary | None:
    """Returns what a run came to; None where it ended before it decided and published."""
    results = read_results(context)
    try:
        data = context.data().read(f"{context.run_folder()}/{Published.file_name}")
    except FileNotFoundError:
        return None
    published = Published.parse(data)
    return RunSummary(
        verdict=published.verdict,
        message=published.message,
        winner=results.decision.winner if results.decision else None,
        candidates=results.candidates,
        model=published.uri,
    )


def _candidates(
    context: RunContext, decision: Decision, tasks: Iterable[TaskResult]
) -> Iterator[CandidateSummary]:
    tasks = tuple(tasks)
    store = Store(context.data())
    models = {item.candidate_id: item.model for item in _documents(store, tasks, Candidate)}
    metrics = {item.candidate_id: item.metrics for item in _documents(store, tasks, Evaluation)}
    latencies = {
        item.candidate_id: latency.p50_ms
        for benchmark in _documents(store, tasks, Benchmark)
        for item in benchmark.candidates
        for latency in item.latencies
        if latency.threads == 1
    }
    for judged in decision.candidates:
        id_ = judged.candidate_id
        model = models.get(id_)
        yield CandidateSummary(
            candidate_id=id_,
            accuracy=metrics.get(id_, {}).get("accuracy"),
            size_bytes=model.size_bytes if model else None,
            zipped_bytes=model.zipped_bytes if model else None,
            latency_ms=latencies.get(id_),
            accepted=judged.accepted,
            reason=" ".join(judged.reasons),
        )


_STAGES: dict[type[Document], str] = {
    Candidate: "quantize",
    Evaluation: "evaluate",
    Benchmark: "benchmark",
}


def _documents(store: Store, tasks: Iterable[TaskResult], kind: type[D]) -> Iterator[D]:
    """Yields the stored documents of a kind; one that was pruned since is passed over."""
    for task in tasks:
        if task.record is not None and task.record.stage == _STAGES[kind]:
            try:
                yield kind.parse(store.read_file(task.record, kind.file_name))
            except (FileNotFoundError, DamagedError):
                continue


def _blessed(context: RunContext, decision: Decision) -> BlessedSummary | None:
    if decision.blessed_before is None:
        return None
    try:
        registry = Registry(context.models(), context.recipe_name)
        release: Release = registry.release(decision.blessed_before.version)
    except UserError:
        return None  # Removed since, or out of reach.
    return BlessedSummary(
        version=release.version,
        candidate_id=release.candidate_id,
        accuracy=release.metrics.get("accuracy"),
        size_bytes=release.model.size_bytes,
        zipped_bytes=release.model.zipped_bytes,
        latency_ms=release.latency_ms,
    )
