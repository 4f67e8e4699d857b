"""How a model was trained: its history, ready to be drawn; and how sparse it came out."""

import dataclasses
from collections.abc import Iterable

from components.common.documents.bundle import Epoch, LayerSparsity, ModelBundle, StepFacts
from components.common.documents.candidate import Candidate, TensorSparsity
from components.common.documents.dataset import DatasetManifest
from components.common.words.figures import interval, percent
from components.report.sources import Run

LAYERS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseSpan:
    """Consecutive epochs trained in one way."""

    name: str
    first_epoch: int
    last_epoch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One model's training."""

    title: str
    backbone: str
    parameters: int
    epochs: tuple[Epoch, ...]
    phases: tuple[PhaseSpan, ...]
    best: Epoch | None
    faults: tuple[str, ...] = ()
    untrained: str = ""
    """What is right without training, in a sentence."""

    @property
    def prunes(self) -> bool:
        return any(epoch.sparsity is not None for epoch in self.epochs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A kernel's sparsity as pruning left it, and as counted in the `.tflite`."""

    layer: str
    parameters: int
    share: float
    pruned: bool
    counted: float | None
    """None where the file has no tensor of that name and size."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SparsitySection:
    """Of one variant and one of its steps."""

    variant: str
    activity: str
    target: float | None
    candidate_id: str | None
    """The candidate of the variant whose file was counted."""
    rows: tuple[LayerRow, ...]
    hidden_rows: int
    total: float
    """Share of zeros over all kernels of the bundle."""
    counted_total: float | None
    """Over all weight tensors of the file."""


def trainings(run: Run) -> tuple[Training, ...]:
    return tuple(
        _training(
            f"{entry.id}: {entry.title}" if entry.parent else entry.id, entry.bundle, run.manifest
        )
        for entry in run.models.entries
    )


def sparsity_sections(run: Run) -> tuple[SparsitySection, ...]:
    """Returns one for each step that was after zeros."""
    return tuple(
        _sparsity_section(run, entry.id, step)
        for entry in run.models.entries
        for step in entry.bundle.steps
        if step.sparsity
    )


def _sparsity_section(run: Run, variant: str, step: StepFacts) -> SparsitySection:
    candidate = _counted_candidate(run, variant)
    tensors = candidate.model.sparsity if candidate and candidate.model else ()
    layers = step.sparsity
    rows = [_layer_row(layer, tensors) for layer in layers]
    return SparsitySection(
        variant=variant,
        activity=step.activity,
        target=step.target_sparsity,
        candidate_id=candidate.candidate_id if candidate else None,
        rows=tuple(rows[:LAYERS]),
        hidden_rows=max(0, len(rows) - LAYERS),
        total=_share((layer.zeros for layer in layers), (layer.parameters for layer in layers)),
        counted_total=_share((t.zeros for t in tensors), (t.elements for t in tensors))
        if tensors
        else None,
    )


def _training(title: str, bundle: ModelBundle, manifest: DatasetManifest) -> Training:
    phases: list[PhaseSpan] = []
    for epoch in bundle.history:
        if phases and phases[-1].name == epoch.phase:
            phases[-1] = dataclasses.replace(phases[-1], last_epoch=epoch.epoch)
        else:
            phases.append(
                PhaseSpan(name=epoch.phase, first_epoch=epoch.epoch, last_epoch=epoch.epoch)
            )
    return Training(
        title=title,
        backbone=bundle.architecture.name,
        parameters=bundle.parameters,
        epochs=bundle.history,
        phases=tuple(phases),
        best=next((e for e in bundle.history if e.epoch == bundle.best_epoch), None),
        faults=bundle.faults,
        untrained=_tell_untrained(bundle, manifest),
    )


def _tell_untrained(bundle: ModelBundle, manifest: DatasetManifest) -> str:
    """Returns what the model, and a constant answer, are worth before any training."""
    found, counts = bundle.zero_shot, manifest.splits["validation"].examples_per_class
    if found is None:
        return ""
    largest = max(range(len(counts)), key=counts.__getitem__)
    return (
        f"Untrained, naming the class whose description is the most alike is right on "
        f"{percent(found.value)} (95 % interval {interval(found.low, found.high)}) of the "
        f"validation split; always answering {manifest.class_names[largest]} is right on "
        f"{percent(counts[largest] / sum(counts))}."
    )


def _counted_candidate(run: Run, variant: str) -> Candidate | None:
    """Returns the winner if it is of the variant, else the largest that is."""
    own = [
        candidate
        for candidate in (run.candidates[id_].candidate for id_ in run.ordered_ids())
        if candidate.variant == variant and candidate.model is not None
    ]
    winners = [candidate for candidate in own if candidate.candidate_id == run.decision.winner]
    return next(iter([*winners, *own]), None)


def _layer_row(layer: LayerSparsity, tensors: tuple[TensorSparsity, ...]) -> LayerRow:
    counted = next((tensor for tensor in tensors if _belongs(tensor, layer)), None)
    return LayerRow(
        layer=layer.layer,
        parameters=layer.parameters,
        share=layer.zeros / max(1, layer.parameters),
        pruned=layer.pruned,
        counted=counted.zeros / max(1, counted.elements) if counted else None,
    )


def _belongs(tensor: TensorSparsity, layer: LayerSparsity) -> bool:
    """Tells whether a tensor is a layer's kernel.

    The converter names a tensor after the operations it was folded into, separated by
    semicolons, each a path whose parts are layer names.
    """
    paths = tensor.tensor.split(";")
    return tensor.elements == layer.parameters and any(
        layer.layer in path.split("/") for path in paths
    )


def _share(zeros: Iterable[int], elements: Iterable[int]) -> float:
    return sum(zeros) / max(1, sum(elements))
