"""What the run did: each task's time, cached or computed, and what everything came from."""

import dataclasses
from collections.abc import Mapping

from components.common.documents.base import Lineage
from components.common.documents.record import TaskResult
from components.report.sources import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskRow:
    task: str
    cached: bool
    reason: str
    """What it was computed anew for, where a run before had it."""
    seconds: float
    """In this run."""
    computed_seconds: float
    """When it was computed, which for a cached task was in another run."""
    memory_bytes: int | None
    measurements: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineageRow:
    artifact: str
    key: str
    inputs: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivitySection:
    tasks: tuple[TaskRow, ...]
    seconds: float
    """Of all tasks, which may have run at the same time."""
    lineage: tuple[LineageRow, ...]
    libraries: Mapping[str, tuple[str, ...]]
    """Distribution -> versions; more than one where tasks ran in different images."""


def activity_section(run: Run) -> ActivitySection:
    return ActivitySection(
        tasks=tuple(_task_row(result) for result in run.receipt.tasks),
        seconds=run.receipt.seconds,
        lineage=tuple(_lineage_row(name, lineage) for name, lineage in _lineages(run)),
        libraries=_libraries(run),
    )


def _task_row(result: TaskResult) -> TaskRow:
    record = result.record
    return TaskRow(
        task=result.task,
        cached=result.status == "cached",
        reason=result.reason,
        seconds=result.seconds,
        computed_seconds=record.seconds if record else result.seconds,
        memory_bytes=record.peak_memory_bytes if record else None,
        measurements=record.measurements if record else {},
    )


def _lineages(run: Run) -> list[tuple[str, Lineage]]:
    named = [("data set", run.manifest.lineage)]
    named += [(f"{entry.id} model", entry.bundle.lineage) for entry in run.models.entries]
    for id_ in run.ordered_ids():
        measured = run.candidates[id_]
        named.append((f"{id_}: candidate", measured.candidate.lineage))
        if measured.evaluation is not None:
            named.append((f"{id_}: evaluation", measured.evaluation.lineage))
    return [*named, ("benchmark", run.benchmark.lineage), ("decision", run.decision.lineage)]


def _lineage_row(name: str, lineage: Lineage) -> LineageRow:
    return LineageRow(artifact=name, key=lineage.key, inputs=lineage.inputs)


def _libraries(run: Run) -> dict[str, tuple[str, ...]]:
    versions: dict[str, set[str]] = {}
    for result in run.receipt.tasks:
        if result.record is not None:
            for distribution, version in result.record.libraries.items():
                versions.setdefault(distribution, set()).add(version)
    return {name: tuple(sorted(versions[name])) for name in sorted(versions)}
