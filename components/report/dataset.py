"""The data set as the report shows it."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.rejects import Reject
from components.common.documents.validation import DatasetFinding
from components.common.tasks.image.statistics import Histogram, intensity_histogram
from components.common.tasks.image.words import describe_pictures, fit_in_words, is_coarse
from components.report.sources import Run

CLASSES = 60
REJECTS_PER_REASON = 5
_COPY = "duplicate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitRow:
    name: str
    examples: int
    shards: int
    size_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassRow:
    name: str
    examples: tuple[int, ...]
    """By split, in the order of SPLITS."""
    pictures: tuple[str, ...]
    """data: addresses."""

    @property
    def total(self) -> int:
        return sum(self.examples)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RejectGroup:
    reason: str
    records: int
    shown: tuple[Reject, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSection:
    records: int
    described: str
    """What every picture is, in words."""
    coarse: bool
    """Whether pictures are so small that their pixels are shown as squares."""
    fitted: str
    """How pictures became squares, in words."""
    not_square: int
    """How many pictures were none before."""
    splits: tuple[SplitRow, ...]
    class_count: int
    classes: tuple[ClassRow, ...]
    hidden_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    histogram: Histogram
    rejects: tuple[RejectGroup, ...]
    notes: tuple[tuple[str, int], ...]
    """What is odd about pictures that are used all the same, and about how many."""
    passed_over: Mapping[str, int]
    findings: tuple[DatasetFinding, ...]

    @property
    def rejected(self) -> int:
        return sum(group.records for group in self.rejects if group.reason != _COPY)

    @property
    def copies(self) -> int:
        return sum(group.records for group in self.rejects if group.reason == _COPY)


def data_section(run: Run, pictures: Mapping[int, Sequence[str]]) -> DataSection:
    """Describes the data set.

    Args:
      run: the run's documents.
      pictures: label -> data: addresses of a few of its pictures.
    """
    manifest = run.manifest
    rows = _class_rows(manifest, pictures)
    return DataSection(
        records=manifest.records,
        described=describe_pictures(manifest.image),
        coarse=is_coarse(manifest.image),
        fitted=f"{fit_in_words(manifest.image)} (fit: {manifest.image.fit})",
        not_square=manifest.not_square,
        splits=tuple(
            SplitRow(
                name=split,
                examples=manifest.splits[split].examples,
                shards=len(manifest.splits[split].shards),
                size_bytes=sum(shard.size_bytes for shard in manifest.splits[split].shards),
            )
            for split in SPLITS
        ),
        class_count=len(rows),
        classes=tuple(rows[:CLASSES]),
        hidden_classes=max(0, len(rows) - CLASSES),
        mean=manifest.statistics.mean,
        std=manifest.statistics.std,
        histogram=intensity_histogram(manifest.statistics),
        rejects=_reject_groups(manifest, run.rejects),
        notes=tuple(manifest.notes.items()),
        passed_over=manifest.passed_over,
        findings=run.validation.findings,
    )


def _class_rows(manifest: DatasetManifest, pictures: Mapping[int, Sequence[str]]) -> list[ClassRow]:
    """Returns all classes in their own order, or the rarest ones first if there are many."""
    rows = [
        ClassRow(
            name=name,
            examples=tuple(manifest.splits[split].examples_per_class[label] for split in SPLITS),
            pictures=tuple(pictures.get(label, ())),
        )
        for label, name in enumerate(manifest.class_names)
    ]
    return rows if len(rows) <= CLASSES else sorted(rows, key=lambda row: row.total)


def _reject_groups(manifest: DatasetManifest, rejects: Sequence[Reject]) -> tuple[RejectGroup, ...]:
    groups = [
        RejectGroup(
            reason=reason,
            records=records,
            shown=tuple([r for r in rejects if r.reason == reason][:REJECTS_PER_REASON]),
        )
        for reason, records in manifest.rejects.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-group.records, group.reason)))
