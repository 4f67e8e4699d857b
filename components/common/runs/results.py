"""What a run came to, read from its folder and the store wherever these lie.

A run's folder holds the result of each task; a result names its record, and the record the
stored output. So figures of a run on a cluster are read as those of a local one.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from components.common.documents.base import Document
from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import Candidate
from components.common.documents.decision import Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.measured import join_candidates
from components.common.documents.outcome import (
    BlessedSummary,
    CandidateSummary,
    RunResults,
    TaskSummary,
)
from components.common.documents.record import TaskResult
from components.common.documents.release import Release
from components.common.errors import DamagedError, UserError
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.common.shell.store import Store

D = TypeVar("D", bound=Document)

MESSAGE_LIMIT = 2000
"""Characters of a message that are kept in an outcome, which travels through logs too."""


def summarize_results(
    context: RunContext, tasks: Iterable[TaskResult], decision: Decision | None
) -> RunResults:
    """Gathers what a run's tasks left.

    Args:
      context: of the run.
      tasks: their results.
      decision: the gate's; None where the run did not come to it.

    Raises:
      UserError: the data root can't be read from here.
    """
    tasks = tuple(tasks)
    return RunResults(
        winner=decision.winner if decision else None,
        candidates=tuple(_candidates(context, decision, tasks)) if decision else (),
        blessed_before=_blessed(context, decision) if decision else None,
        tasks=tuple(
            TaskSummary(
                task=task.task,
                status=task.status,
                seconds=task.seconds,
                message=shortened(task.message),
                user_error=task.user_error,
            )
            for task in tasks
        ),
    )


def shortened(text: str) -> str:
    """Returns a text of at most MESSAGE_LIMIT characters, which says where it was cut."""
    return text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 4]} ..."


def _candidates(
    context: RunContext, decision: Decision, tasks: Iterable[TaskResult]
) -> Iterator[CandidateSummary]:
    store = Store(context.data())
    measured = join_candidates(
        _documents(store, tasks, Candidate),
        _documents(store, tasks, Evaluation),
        next(_documents(store, tasks, Benchmark), None),
    )
    for judged in decision.candidates:
        one = measured.get(judged.candidate_id)
        model = one.candidate.model if one else None
        yield CandidateSummary(
            candidate_id=judged.candidate_id,
            accuracy=one.accuracy if one else None,
            size_bytes=model.size_bytes if model else None,
            zipped_bytes=model.zipped_bytes if model else None,
            latency_ms=one.latency_ms if one else None,
            accepted=judged.accepted,
            reason=shortened(" ".join(judged.reasons)),
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
    except (UserError, OSError):
        return None  # Removed since, damaged, or out of reach.
    return BlessedSummary(
        version=release.version,
        candidate_id=release.candidate_id,
        accuracy=release.metrics.get("accuracy"),
        size_bytes=release.model.size_bytes,
        zipped_bytes=release.model.zipped_bytes,
        latency_ms=release.latency_ms,
    )
