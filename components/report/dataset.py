"""The data set as the report shows it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from components.common.documents.bundle import AlikeClasses
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.evaluation import DoubtfulLabels
from components.common.documents.near_copies import NearCopies, NearCopy
from components.common.documents.oddities import OddExample
from components.common.documents.placed import Placed
from components.common.documents.rejects import COPIES, Reason, Reject
from components.common.documents.validation import DatasetFinding
from components.common.documents.variant import DENSE
from components.common.tasks.showing import tell_data
from components.common.tasks.told import DataTold, Shown
from components.report.sources import Run

CLASSES = 60
REJECTS_PER_REASON = 5
PAIRS = 12
ODD = 8


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
    shown: tuple[Shown, ...]
    """A few of its examples."""

    @property
    def total(self) -> int:
        return sum(self.examples)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RejectGroup:
    reason: str
    records: int
    shown: tuple[Reject, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownOne:
    """One of a pair of examples."""

    example: Shown
    path: str
    class_name: str
    split: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownPair:
    one: ShownOne
    other: ShownOne
    left_out: bool = False
    """Whether the other is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OddGroup:
    """Examples that are odd in one way."""

    name: str
    examples: int
    shown: tuple[tuple[ShownOne, str], ...]
    """The oddest, each with how it is odd."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownDoubt:
    """An example whose label may be wrong."""

    example: Shown
    id: str
    path: str
    """In the source; how the id begins, where it isn't known."""
    label: str
    label_probability: float
    likely: str
    likely_probability: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Doubts:
    examples: int
    """How many labels of the validation split are doubtful."""
    of: int
    shown: tuple[ShownDoubt, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSection:
    records: int
    told: DataTold
    splits: tuple[SplitRow, ...]
    class_count: int
    classes: tuple[ClassRow, ...]
    hidden_classes: int
    rejects: tuple[RejectGroup, ...]
    notes: tuple[tuple[str, int], ...]
    """What is odd about examples that are used all the same, and about how many."""
    passed_over: Mapping[str, int]
    findings: tuple[DatasetFinding, ...]
    pairs: tuple[ShownPair, ...]
    """Of examples that are nearly the same."""
    alike: tuple[ShownPair, ...]
    """Of classes that the pretrained model doesn't tell apart."""
    oddities: tuple[OddGroup, ...]
    doubts: Doubts

    @property
    def rejected(self) -> int:
        return sum(group.records for group in self.rejects if group.reason not in COPIES)

    @property
    def copies(self) -> int:
        return self._left_out("duplicate")

    @property
    def near_copies(self) -> int:
        return self._left_out("near_copy")

    def _left_out(self, reason: Reason) -> int:
        return sum(group.records for group in self.rejects if group.reason == reason)


def data_section(
    run: Run, shown: Mapping[int, Sequence[Shown]], by_id: Mapping[str, Shown]
) -> DataSection:
    """Describes the data set.

    Args:
      run: the run's documents.
      shown: label -> a few of its examples.
      by_id: those that are shown for what they are.
    """
    manifest = run.manifest
    rows = _class_rows(manifest, shown)
    return DataSection(
        records=manifest.records,
        told=tell_data(manifest),
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
        rejects=_reject_groups(manifest, run.rejects),
        notes=tuple(manifest.notes.items()),
        passed_over=manifest.passed_over,
        findings=(*run.validation.findings, *_find_alike(run)),
        pairs=tuple(
            _show_pair(pair, run, by_id)
            for pair in shown_pairs(run.near_copies)
            if pair.one.id in by_id and pair.other.id in by_id
        ),
        alike=tuple(_show_alike(run, by_id)),
        oddities=tuple(
            OddGroup(
                name=name.replace("_", " "),
                examples=oddity.examples,
                shown=tuple(
                    (_show(odd.placed, manifest, by_id), odd.detail)
                    for odd in oddity.shown[:ODD]
                    if odd.placed.id in by_id
                ),
            )
            for name, oddity in run.oddities.kinds.items()
        ),
        doubts=_doubts(run, by_id),
    )


def placed_examples(run: Run) -> list[Placed]:
    """Returns the examples that the page shows for what they are, wherever they stand."""
    odd: list[OddExample] = []
    for oddity in run.oddities.kinds.values():
        odd += oddity.shown[:ODD]
    pairs = shown_pairs(run.near_copies)
    return [
        *(placed for pair in pairs for placed in (pair.one, pair.other)),
        *(one.placed for one in odd),
    ]


def shown_pairs(found: NearCopies) -> Sequence[NearCopy]:
    """Returns the pairs that a page has room for, those of two labels among them."""
    contradicting = [pair for pair in found.pairs if pair.has_two_labels][: PAIRS // 2]
    others = [pair for pair in found.pairs if pair not in contradicting]
    return [*others[: PAIRS - len(contradicting)], *contradicting]


def _show_pair(pair: NearCopy, run: Run, by_id: Mapping[str, Shown]) -> ShownPair:
    one, other = (_show(placed, run.manifest, by_id) for placed in (pair.one, pair.other))
    left_out = pair.in_two_splits and run.near_copies.left_out > 0
    if left_out:
        other = dataclasses.replace(other, split=f"kept out of {other.split}")
    return ShownPair(one=one, other=other, left_out=left_out)


def _show(placed: Placed, manifest: DatasetManifest, by_id: Mapping[str, Shown]) -> ShownOne:
    return ShownOne(
        example=by_id[placed.id],
        path=placed.path,
        class_name=manifest.class_names[placed.label],
        split=placed.split,
    )


def alike_ids(run: Run) -> frozenset[str]:
    """Returns the training examples that the page shows for classes that are alike."""
    pairs = (pair for classes in _alike_classes(run) for pair in classes.pairs)
    return frozenset(id_ for pair in pairs for id_ in pair)


def ids_without_path(run: Run) -> frozenset[str]:
    """Returns the examples that documents name by their ids alone."""
    return alike_ids(run) | {doubt.id for doubt in doubtful_labels(run).shown}


def _alike_classes(run: Run) -> tuple[AlikeClasses, ...]:
    return run.models.entry(DENSE).bundle.alike_classes


def _find_alike(run: Run) -> Iterator[DatasetFinding]:
    for pair in _alike_classes(run):
        yield DatasetFinding(check="alike_classes", severity="warn", message=pair.told())


def _show_alike(run: Run, by_id: Mapping[str, Shown]) -> Iterator[ShownPair]:
    for classes in _alike_classes(run):
        for ids in classes.pairs:
            if all(id_ in by_id for id_ in ids):
                one, other = (
                    ShownOne(
                        example=by_id[id_],
                        path=_path_of(id_, run),
                        class_name=name,
                        split="train",
                    )
                    for id_, name in zip(ids, (classes.one, classes.other), strict=True)
                )
                yield ShownPair(one=one, other=other)


def _path_of(id_: str, run: Run) -> str:
    return run.paths.get(id_, f"sha256 {id_[:12]}…")


def doubtful_labels(run: Run) -> DoubtfulLabels:
    """Returns the labels that the baseline doubts; none, where it was not evaluated."""
    baseline = run.evaluation(BASELINE_ID)
    found = baseline.doubtful if baseline else None
    return found or DoubtfulLabels(examples=0, shown=())


def _doubts(run: Run, by_id: Mapping[str, Shown]) -> Doubts:
    found, manifest = doubtful_labels(run), run.manifest
    names = manifest.class_names
    return Doubts(
        examples=found.examples,
        of=manifest.splits["validation"].examples,
        shown=tuple(
            ShownDoubt(
                example=by_id[doubt.id],
                id=doubt.id,
                path=_path_of(doubt.id, run),
                label=names[doubt.label],
                label_probability=doubt.label_probability,
                likely=names[doubt.likely],
                likely_probability=doubt.likely_probability,
            )
            for doubt in found.shown
            if doubt.id in by_id
        ),
    )


def _class_rows(manifest: DatasetManifest, shown: Mapping[int, Sequence[Shown]]) -> list[ClassRow]:
    """Returns all classes in their own order, or the rarest ones first if there are many."""
    rows = [
        ClassRow(
            name=name,
            examples=tuple(manifest.splits[split].examples_per_class[label] for split in SPLITS),
            shown=tuple(shown.get(label, ())),
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
