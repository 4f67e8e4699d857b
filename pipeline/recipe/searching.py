"""What a search is told by a recipe: the candidates of every variant, and how its steps learn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.common.config import Choice
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.dataset import TaskName
from components.common.documents.decision import Budgets, Objective
from components.common.documents.variant import DENSE
from components.common.lite.file_steps import FILE_STEPS
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.compress.steps import STEPS
from components.compress.steps.step import task_of
from components.finetune.config import FinetuneConfig, TrainConfig
from components.propose.config import ProposeConfig, SearchSettings
from components.quantize.config import SHARE, DeclaredFileStep, QuantizeConfig

_SNAP = "snap"
_GRIDS = (6, 4)
"""Bits. Coarser ones cost accuracy that no other step gives back."""

_TOLD: Mapping[TaskName, Mapping[str, Any]] = {"text": {"optimizer": {"learning_rate": 5e-5}}}
"""What steps that learn are told of a task's models: an encoder forgets at higher rates."""


def propose_config(
    search: SearchSettings | None,
    *,
    train: TrainConfig,
    quantize: QuantizeConfig,
    budgets: Budgets,
) -> ProposeConfig:
    """Returns what propose is told; nothing where the recipe does not search."""
    if search is None:
        return ProposeConfig()
    wide = widen(quantize, budgets.objective)
    smaller = [scheme for scheme in wide.compressed_schemes if scheme.kind != BASELINE_ID]
    own = {DENSE: smaller or wide.compressed_schemes}
    return ProposeConfig(
        search=search,
        task=train.task,
        budgets=budgets,
        steps=_learnable(dict(_steps_told(train)), train),
        dense=wide.with_candidates((DENSE,)).candidates,
        compressed=wide.with_candidates((DENSE,), schemes=own).candidates,
    )


def _steps_told(train: TrainConfig) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each step that the model can take, and what of it is as in the training."""
    for kind, step in STEPS.items():
        if task_of(step.Settings) not in (None, train.task):
            continue
        alike = set(getattr(step.Settings, "LEARNED_ALIKE", ()))
        if "backbone" in alike:
            # It makes another graph: a narrower one, where the backbone comes in widths.
            if not isinstance(train, FinetuneConfig):
                continue
            if not BACKBONE_LIMITS[train.backbone].widens:
                continue
            alike.add("width")
        told = _TOLD.get(train.task, {}).items()
        own = {name: value for name, value in told if name in step.Settings.model_fields}
        yield kind, own | train.model_dump(mode="json", include=alike)


def _learnable(
    steps: Mapping[str, Mapping[str, Any]], train: TrainConfig
) -> Mapping[str, Mapping[str, Any]]:
    """Returns the steps without pruning where only the head is trained: it prunes what learns."""
    if train.is_pretrained and train.second_phase is None and "distil" not in steps:
        return {kind: told for kind, told in steps.items() if kind != "prune"}
    return steps


def widen(quantize: QuantizeConfig, objective: Objective) -> QuantizeConfig:
    """Returns the schemes with the steps on files that help the objective, where none is stated.

    float32 stays as it is, for everything is compared with it.
    """
    return quantize.model_copy(
        update={
            # What is stated may be among what is added.
            name: tuple(
                dict.fromkeys(_widened(getattr(quantize, name), quantize.file_steps, objective))
            )
            for name in ("schemes", "compressed_schemes")
        }
    )


def _widened(
    schemes: Sequence[Choice], common: Sequence[Choice], objective: Objective
) -> Iterator[Choice]:
    for scheme in schemes:
        if scheme.kind == BASELINE_ID or dict(scheme.settings)["file_steps"] is not None:
            yield scheme
            continue
        for own in _file_steps(objective):
            kinds = {step.kind for step in own}
            if any(_is_idle(step, scheme) for step in own if step.kind == _SNAP):
                continue
            others = [step for step in common if step.kind not in kinds]
            # The sharing of equal parts stays the last.
            chain = sorted((*others, *own), key=lambda step: step.kind == SHARE)
            told = tuple(step for step in chain if not _is_idle(step, scheme))
            yield scheme.told(scheme.settings.model_copy(update={"file_steps": told}))


def _is_idle(step: Choice, scheme: Choice) -> bool:
    return scheme.kind in FILE_STEPS[step.kind].idle_under


def _file_steps(objective: Objective) -> Iterator[tuple[Choice, ...]]:
    """Yields the chains to try; each writes equal vectors once where bytes count."""
    last = _steps(*([SHARE] if SHARE in FILE_STEPS and objective != "latency_ms" else []))
    yield last
    if _SNAP in FILE_STEPS and objective == "zipped_bytes":
        yield from ((*_steps({_SNAP: {"bits": bits}}), *last) for bits in _GRIDS)


def _steps(*stated: object) -> tuple[Choice, ...]:
    return tuple(map(DeclaredFileStep.model_validate, stated))
