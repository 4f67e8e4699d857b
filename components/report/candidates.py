"""The candidates as the report shows them: figures, verdict, budgets."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from components.common.documents.benchmark import Latency
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import Comparison
from components.common.documents.evaluation import Estimate, KerasAgreement, telling_metrics
from components.report.sources import Run

Standing = Literal["winner", "accepted", "refused", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CandidateRow:
    """One candidate; a figure is None where it could not be taken."""

    id: str
    words: str
    """What was done to the model."""
    baseline: bool
    standing: Standing
    failure: str | None
    diagnosis: str | None
    """Why it lost more than it may at first, and what was done about it."""
    accuracy: Estimate | None
    metrics: Mapping[str, Estimate]
    drop: Comparison | None
    """Against float32."""
    comparisons: tuple[Comparison, ...]
    """All others: against the blessed model, of classes, of slices."""
    reasons: tuple[str, ...]
    size_bytes: int | None
    zipped_bytes: int | None
    xz_bytes: int | None
    zstd_bytes: int | None
    macs: int | None
    latency: Latency | None
    """At one thread, which is what budgets are held against."""
    more_latencies: tuple[Latency, ...]
    memory_bytes: int | None
    energy_mj: float | None
    cost_per_million: float | None
    keras: KerasAgreement | None


def candidate_rows(run: Run) -> tuple[CandidateRow, ...]:
    return tuple(_candidate_row(run, id_) for id_ in run.ordered_ids())


def _candidate_row(run: Run, id_: str) -> CandidateRow:
    measured = run.candidates[id_]
    model = measured.candidate.model
    evaluation = run.evaluation(id_)
    verdict = run.verdict(id_)
    comparisons = verdict.comparisons if verdict else ()
    benchmark = measured.benchmark
    return CandidateRow(
        id=id_,
        words=measured.candidate.words,
        baseline=id_ == BASELINE_ID,
        standing=_standing(run, id_),
        failure=measured.failure if measured.finalist else None,
        diagnosis=measured.candidate.diagnosis.words if measured.candidate.diagnosis else None,
        accuracy=evaluation.metrics.get("accuracy") if evaluation else None,
        metrics=(
            telling_metrics(evaluation.metrics, len(evaluation.per_class)) if evaluation else {}
        ),
        drop=next((c for c in comparisons if c.reference == BASELINE_ID), None),
        comparisons=tuple(c for c in comparisons if c.reference != BASELINE_ID),
        reasons=verdict.reasons if verdict else (),
        size_bytes=model.size_bytes if model else None,
        zipped_bytes=model.zipped_bytes if model else None,
        xz_bytes=model.xz_bytes if model else None,
        zstd_bytes=model.zstd_bytes if model else None,
        macs=model.macs if model else None,
        latency=benchmark.at_one_thread if benchmark else None,
        more_latencies=tuple(
            latency for latency in (benchmark.latencies if benchmark else ()) if latency.threads > 1
        ),
        memory_bytes=benchmark.peak_memory_bytes if benchmark else None,
        energy_mj=benchmark.energy_mj if benchmark else None,
        cost_per_million=benchmark.cost_per_million if benchmark else None,
        keras=evaluation.keras if evaluation else None,
    )


def _standing(run: Run, id_: str) -> Standing:
    measured = run.candidates[id_]
    if id_ == run.decision.winner:
        return "winner"
    if measured.finalist and measured.failure is not None:
        return "failed"
    verdict = run.verdict(id_)
    return "accepted" if verdict is not None and verdict.accepted else "refused"
