"""Magnitude pruning while training goes on, by tfmot.

Sparsity rises as a cubic (M. Zhu, S. Gupta, To prune, or not to prune, 2017) until `end`; the rest
of the epochs recover, and only one of these may be the best: an earlier one is not yet as sparse
as asked for. BatchNorm stays frozen, as in fine-tuning.

All prunable layers become equally sparse, or each as LAMP finds (`lamp.py`) in the weights that
the step begins with. LAMP's shares are found once for a target: they are a function of these
weights alone, so that a training that goes on after an interruption has the same, and each layer
climbs to its own share along the one schedule. Which weights of a layer go is decided anew, by
magnitude, at each update of the masks.
"""

import dataclasses
import math
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Section
from components.common.documents.bundle import HEAD, LayerSparsity, StepFacts
from components.common.errors import UserError
from components.common.tasks.image.config import Augment
from components.common.training.config import (
    BatchSize,
    ClassWeights,
    Distillation,
    LabelSmoothing,
    Optimizer,
)
from components.compress.steps.lamp import lamp_shares
from components.compress.steps.step import Compressed

if TYPE_CHECKING:
    from components.common.training.session import Session

Sparsity = Annotated[float, Field(ge=0, lt=1)]

_FEWEST_UPDATES = 10
"""A short training gets them closer together than asked for: one leap to the final
sparsity is what destroys a model."""


class Settings(Section):
    """The recipe's `prune` section: magnitude pruning with polynomial decay.

    What it does not state of augment, global_batch_size, label_smoothing and class_weights is
    as in `train`.
    """

    LEARNED_ALIKE: ClassVar[frozenset[str]] = frozenset(
        {"augment", "global_batch_size", "label_smoothing", "class_weights"}
    )
    """The fields that the recipe fills in."""

    final_sparsity: Sparsity = 0.5
    initial_sparsity: Sparsity = 0.0
    shares: Literal["uniform", "lamp"] = "uniform"
    """How the sparsity is shared: every prunable layer has it, or all of them together, each by
    what its weights count."""
    distillation: Distillation | None = None
    """Learning from the parent's logits as well; {} for the defaults."""
    epochs: Annotated[int, Field(ge=1)] = 8
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Where pruning begins, as a share of all steps (tfmot's begin_step)."""
    end: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Where the final sparsity is reached (tfmot's end_step); the rest recovers."""
    frequency: Annotated[int, Field(ge=1)] = 20
    """Steps between two updates of the masks."""
    keep_dense: tuple[str, ...] = ()
    """Regular expressions of layer names to leave dense, beside depthwise kernels, the
    first convolution and the head, which always stay dense."""
    freeze: tuple[str, ...] = ()
    """Regular expressions of layer names to leave as they are: dense and untrained. Where all
    layers up to some point are frozen, what leaves them is computed once, for 8 augmentations of
    each example; see docs/compression.md."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-4)
    augment: Augment = Augment()
    global_batch_size: BatchSize = 32
    label_smoothing: LabelSmoothing = 0.0
    class_weights: ClassWeights = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.initial_sparsity > self.final_sparsity:
            raise ValueError(
                f"initial_sparsity {self.initial_sparsity:g} is above "
                f"final_sparsity {self.final_sparsity:g}"
            )
        for name in ("keep_dense", "freeze"):
            for pattern in getattr(self, name):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(
                        f"{name}: {pattern!r} is no regular expression: {error}"
                    ) from error
        if self.begin >= self.end:
            raise ValueError(f"begin {self.begin:g} must lie before end {self.end:g}")
        return self


@dataclasses.dataclass(frozen=True)
class PruningSchedule:
    """When sparsity rises, in steps counted from 1.

    Attributes:
      begin_step: the last step of the initial model.
      end_step: where the final sparsity is reached: a whole number of updates later, or
        tfmot would stop short of it.
      frequency: steps between updates.
      first_sparse_epoch: the first epoch at whose end the final sparsity is reached.
    """

    begin_step: int
    end_step: int
    frequency: int
    first_sparse_epoch: int


def plan_schedule(settings: Settings, *, steps_per_epoch: int) -> PruningSchedule:
    """Places the schedule's shares on the steps of all epochs."""
    total = settings.epochs * steps_per_epoch
    begin = min(int(settings.begin * total), total - 1)
    length = max(1, round(settings.end * total) - begin)
    frequency = max(1, min(settings.frequency, length // _FEWEST_UPDATES))
    end = begin + length // frequency * frequency
    return PruningSchedule(begin, end, frequency, math.ceil(end / steps_per_epoch))


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Prunes a classifier.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: a pattern of keep_dense or freeze names no layer, or none is left to prune.
    """
    import tensorflow_model_optimization as tfmot

    from components.common.training.best_epoch import best_epoch
    from components.common.training.clock import Clock
    from components.common.training.frozen_part import Rest, keep_frozen_part
    from components.common.training.loop import class_weights, run_phase
    from components.common.training.phases import Phase

    steps = session.steps_per_epoch(settings.global_batch_size)
    schedule = plan_schedule(settings, steps_per_epoch=steps)
    names = prunable_layers(model, keep_dense=settings.keep_dense, freeze=settings.freeze)
    trainable = {layer.name: layer.trainable for layer in model.layers}
    wrapped = _wrap(model, names, settings, schedule)
    _freeze(wrapped, settings.freeze)
    masks = tfmot.sparsity.keras.UpdatePruningStep()
    masks.set_model(wrapped)
    masks.on_train_begin()

    def remask() -> float:
        masks.on_epoch_end(0)
        return _sparsity(wrapped)

    clock = Clock(session.events, total_steps=steps * settings.epochs, board=session.board)
    phase = Phase(
        name="prune",
        epochs=settings.epochs,
        first_epoch=1,
        optimizer=settings.optimizer,
        batch_size=settings.global_batch_size,
        class_weights=class_weights(settings.class_weights, session.examples_per_class),
        seed=settings.seed,
        label_smoothing=settings.label_smoothing,
        eligible_from=schedule.first_sparse_epoch,
        distillation=settings.distillation,
        teacher=session.teacher(settings.distillation),
    )
    rest = Rest(wrapped, phase, session.data(settings.augment))
    if settings.freeze:
        started = time.monotonic()
        rest = keep_frozen_part(rest, augments=settings.augment != Augment())
        clock.besides_s += time.monotonic() - started
    history = run_phase(
        rest.model, rest.phase, rest.data, clock, on_epoch_end=remask, attempt=session.attempt
    )
    sparse = history[phase.eligible_from - 1 :]
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    for layer in stripped.layers:  # What a step freezes, the next one may train.
        layer.trainable = trainable[layer.name]
    return Compressed(
        model=stripped,
        history=tuple(history),
        best_epoch=best_epoch(sparse, examples=len(session.validation)).epoch,
        facts=StepFacts(
            kind="prune",
            activity="pruning",
            title=_title(settings),
            sparsity=layer_sparsity(stripped, names),
            target_sparsity=settings.final_sparsity,
        ),
        measurements=clock.measurements(),
    )


def prunable_layers(
    model: Any, *, keep_dense: tuple[str, ...] = (), freeze: tuple[str, ...] = ()
) -> frozenset[str]:
    """Returns the names of the layers to prune.

    Plain convolutions and dense layers are pruned, but not the first convolution nor the
    head, which have few weights on which everything depends, nor what keep_dense or freeze names.
    Depthwise kernels stay dense: they are small and each of their weights is alone in its
    channel. So do layers that training left frozen: nothing in them would make up for a zero.

    Raises:
      UserError: a pattern matches no layer, or no layer is left.
    """
    from components.common.keras import keras

    kernels = kernel_layers(model)
    for setting, patterns in (("keep_dense", keep_dense), ("freeze", freeze)):
        for pattern in patterns:
            if not any(re.search(pattern, name) for name in kernels):
                raise UserError(
                    f"prune.{setting}: {pattern} matches no layer with a kernel; the layers are "
                    f"{', '.join(kernels)}"
                )
    first = next((name for name, layer in kernels.items() if _is_convolution(layer)), None)
    wanted = {
        name: layer
        for name, layer in kernels.items()
        if type(layer) in (keras.layers.Conv2D, keras.layers.Dense)
        and name not in (first, HEAD)
        and not any(re.search(pattern, name) for pattern in (*keep_dense, *freeze))
    }
    if not wanted:
        raise UserError(
            "prune: no layer is left to prune; name fewer in prune.keep_dense and prune.freeze, "
            "or remove the prune section"
        )
    names = frozenset(name for name, layer in wanted.items() if layer.trainable)
    if not names:
        raise UserError(
            f"prune: only layers that are trained are pruned, and all {len(wanted)} that could be "
            "are frozen; state train.unfreeze, with more layers if it is stated, or remove the "
            "prune section"
        )
    return names


def kernel_layers(model: Any) -> dict[str, Any]:
    """Returns the layers with a kernel of rank 2 or more by name, from the input up."""
    return {layer.name: layer for layer in model.layers if _kernels(layer)}


def layer_sparsity(model: Any, pruned: frozenset[str]) -> tuple[LayerSparsity, ...]:
    """Counts the zeros of every kernel of a model without wrappers."""
    from components.common.training.strategy import read_variables

    found = []
    for name, layer in kernel_layers(model).items():
        kernels = read_variables(_kernels(layer))
        found.append(
            LayerSparsity(
                layer=name,
                parameters=sum(kernel.size for kernel in kernels),
                zeros=sum(map(_zeros, kernels)),
                pruned=name in pruned,
            )
        )
    return tuple(found)


def _title(settings: Settings) -> str:
    how = [
        *(["LAMP"] if settings.shares == "lamp" else []),
        *(["distilled"] if settings.distillation is not None else []),
    ]
    title = f"prune {100 * settings.final_sparsity:g} %"
    return f"{title} ({', '.join(how)})" if how else title


def _freeze(model: Any, patterns: tuple[str, ...]) -> None:
    """Freezes BatchNorm, whose statistics a small data set would spoil, and layers by name."""
    from components.common.keras import keras

    for layer in model.layers:
        named = any(re.search(pattern, layer.name) for pattern in patterns)
        if named or isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _wrap(model: Any, names: frozenset[str], settings: Settings, schedule: PruningSchedule) -> Any:
    import tensorflow_model_optimization as tfmot

    from components.common.keras import keras

    initial = _share(model, names, settings, settings.initial_sparsity)
    final = _share(model, names, settings, settings.final_sparsity)

    def wrap(layer: Any) -> Any:
        if layer.name not in names:
            return layer
        decay = tfmot.sparsity.keras.PolynomialDecay(
            initial_sparsity=initial[layer.name],
            final_sparsity=final[layer.name],
            begin_step=schedule.begin_step,
            end_step=schedule.end_step,
            frequency=schedule.frequency,
        )
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=decay)

    return keras.models.clone_model(model, clone_function=wrap)


def _share(
    model: Any, names: frozenset[str], settings: Settings, sparsity: float
) -> Mapping[str, float]:
    """Returns how sparse each layer is to be, for them to have a sparsity together."""
    from components.common.training.strategy import read_variables

    if settings.shares == "uniform":
        return dict.fromkeys(names, sparsity)
    kernels = {
        name: read_variables(_kernels(layer))[0]
        for name, layer in kernel_layers(model).items()
        if name in names
    }
    return lamp_shares(kernels, sparsity)


def _sparsity(wrapped: Any) -> float:
    """Returns the share of zeros among the weights that have a mask."""
    from components.common.training.strategy import read_variables

    kernels = read_variables(
        [kernel for layer in wrapped.layers for kernel, _, _ in getattr(layer, "pruning_vars", ())]
    )
    return float(sum(map(_zeros, kernels)) / sum(kernel.size for kernel in kernels))


def _kernels(layer: Any) -> list[Any]:
    return [weight for weight in layer.weights if weight.shape.rank >= 2]


def _zeros(kernel: npt.NDArray[np.float32]) -> int:
    return int(kernel.size - np.count_nonzero(kernel))


def _is_convolution(layer: Any) -> bool:
    from components.common.keras import keras

    return isinstance(layer, keras.layers.Conv2D)
