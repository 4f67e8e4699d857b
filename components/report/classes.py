"""Where a candidate errs: confusion matrix, confused pairs, classes and slices."""

import dataclasses
from collections.abc import Sequence

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.evaluation import (
    ClassMetrics,
    Estimate,
    Evaluation,
    SliceMetrics,
    Threshold,
)
from components.report.sources import Run

MATRIX_CLASSES = 20
"""With more classes, a matrix is no longer read: only the most confused pairs are shown."""
PAIRS = 12
ROWS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the confusion matrix."""

    examples: int
    share: float
    """Of the true class's examples."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    true: str
    predicted: str
    examples: int
    share: float
    """Of the true class's examples."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A class's recall or a slice's accuracy: of float32, and of the candidate in focus."""

    name: str
    examples: int
    before: Estimate | None
    after: Estimate
    precision: float | None = None
    f1: float | None = None

    @property
    def change(self) -> float | None:
        return self.after.value - self.before.value if self.before else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassesSection:
    candidate_id: str
    compared: bool
    """Whether the candidate in focus is another than float32."""
    examples: int
    class_names: tuple[str, ...]
    matrix: tuple[tuple[Cell, ...], ...]
    """[true class][predicted class]; empty for many classes."""
    pairs: tuple[ConfusedPair, ...]
    errors: int
    rows: tuple[GroupRow, ...]
    """The worst classes first."""
    hidden_rows: int
    untested: int
    """Classes without a test example."""
    slices: tuple[GroupRow, ...]
    sizes: tuple[GroupRow, ...]
    thresholds: tuple[Threshold, ...]


def classes_section(run: Run) -> ClassesSection | None:
    """Returns None where no candidate was evaluated."""
    focus = run.focus()
    evaluation = run.evaluation(focus)
    if focus is None or evaluation is None:
        return None
    baseline = run.evaluation(BASELINE_ID) if focus != BASELINE_ID else None
    tested = [row for row in _class_rows(evaluation, baseline) if row.examples]
    rows = sorted(tested, key=lambda row: row.after.value)
    names = tuple(metrics.class_name for metrics in evaluation.per_class)
    pairs = _confused_pairs(evaluation, names)
    return ClassesSection(
        candidate_id=focus,
        compared=baseline is not None,
        examples=evaluation.examples,
        class_names=names,
        matrix=_matrix(evaluation) if len(names) <= MATRIX_CLASSES else (),
        pairs=tuple(pairs[:PAIRS]),
        errors=sum(pair.examples for pair in pairs),
        rows=tuple(rows[:ROWS]),
        hidden_rows=max(0, len(rows) - ROWS),
        untested=len(names) - len(rows),
        slices=_slice_rows(evaluation.per_slice, baseline.per_slice if baseline else ())[:ROWS],
        sizes=_slice_rows(evaluation.per_size, baseline.per_size if baseline else ()),
        thresholds=evaluation.thresholds,
    )


def _matrix(evaluation: Evaluation) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        tuple(Cell(examples=n, share=n / max(1, sum(row))) for n in row)
        for row in evaluation.confusion
    )


def _confused_pairs(evaluation: Evaluation, names: tuple[str, ...]) -> list[ConfusedPair]:
    pairs = [
        ConfusedPair(
            true=names[true],
            predicted=names[predicted],
            examples=examples,
            share=examples / sum(row),
        )
        for true, row in enumerate(evaluation.confusion)
        for predicted, examples in enumerate(row)
        if true != predicted and examples
    ]
    return sorted(pairs, key=lambda pair: (-pair.examples, -pair.share, pair.true, pair.predicted))


def _class_rows(evaluation: Evaluation, baseline: Evaluation | None) -> list[GroupRow]:
    before: dict[str, ClassMetrics] = {}
    if baseline is not None:
        before = {metrics.class_name: metrics for metrics in baseline.per_class}
    return [
        GroupRow(
            name=metrics.class_name,
            examples=metrics.examples,
            before=before[metrics.class_name].recall if metrics.class_name in before else None,
            after=metrics.recall,
            precision=metrics.precision,
            f1=metrics.f1,
        )
        for metrics in evaluation.per_class
    ]


def _slice_rows(
    own: Sequence[SliceMetrics], baseline: Sequence[SliceMetrics]
) -> tuple[GroupRow, ...]:
    before = {metrics.slice_name: metrics.accuracy for metrics in baseline}
    return tuple(
        GroupRow(
            name=metrics.slice_name,
            examples=metrics.examples,
            before=before.get(metrics.slice_name),
            after=metrics.accuracy,
        )
        for metrics in own
    )
