"""Magnitude pruning while training goes on, by tfmot.

Sparsity rises as a cubic (M. Zhu, S. Gupta, To prune, or not to prune, 2017) until
`end`; the rest of the epochs recover, and only of these may one be the best: an earlier
one is not yet as sparse as asked for. BatchNorm stays frozen, as in fine-tuning.
"""

import dataclasses
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_model_optimization as tfmot

from components.common.documents.bundle import HEAD, Epoch, LayerSparsity
from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import InputSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.common.process.events import Events
from components.common.tasks.image.inputs import prepare_pictures
from components.common.training.best_epoch import best_epoch
from components.common.training.clock import Clock
from components.common.training.examples import Examples
from components.common.training.loop import class_weights, run_phase
from components.common.training.phases import Data, Phase
from components.common.training.resumption import Attempt
from components.common.training.strategy import read_variables
from components.common.training.tensorboard import TensorBoard
from components.prune.config import PruneConfig

_FEWEST_UPDATES = 10
"""A short training gets them closer together than asked for: one leap to the final
sparsity is what destroys a model."""


@dataclasses.dataclass(frozen=True)
class Schedule:
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pruned:
    """A pruned model without wrappers, and how it came to be."""

    model: Any
    history: tuple[Epoch, ...]
    best_epoch: int
    sparsity: tuple[LayerSparsity, ...]
    clock: Clock


def plan_schedule(config: PruneConfig, *, steps_per_epoch: int) -> Schedule:
    """Places the schedule's shares on the steps of all epochs."""
    total = config.epochs * steps_per_epoch
    begin = min(int(config.begin * total), total - 1)
    length = max(1, round(config.end * total) - begin)
    frequency = max(1, min(config.frequency, length // _FEWEST_UPDATES))
    end = begin + length // frequency * frequency
    return Schedule(begin, end, frequency, math.ceil(end / steps_per_epoch))


def prune_model(
    model: Any,
    config: PruneConfig,
    spec: InputSpec,
    manifest: DatasetManifest,
    *,
    train: Examples,
    validation: Examples,
    events: Events,
    attempt: Attempt | None = None,
    board: TensorBoard | None = None,
) -> Pruned:
    """Prunes a classifier.

    Args:
      model: a flat functional model; its layers are taken over.
      config: how sparse, and how to train.
      spec: how pictures are prepared.
      manifest: the data set.
      train: the training split.
      validation: the validation split.
      events: is told of the progress.
      attempt: keeps the training's state, and knows that of an interrupted one.
      board: takes the curves.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: keep_dense names no layer, or leaves none to prune.
    """
    steps = -(-len(train) // config.global_batch_size)
    schedule = plan_schedule(config, steps_per_epoch=steps)
    names = prunable_layers(model, config.keep_dense)
    wrapped = _wrap(model, names, config, schedule)
    for layer in wrapped.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    masks = tfmot.sparsity.keras.UpdatePruningStep()
    masks.set_model(wrapped)
    masks.on_train_begin()

    def remask() -> float:
        masks.on_epoch_end(0)
        return _sparsity(wrapped)

    counts = manifest.splits["train"].examples_per_class
    clock = Clock(events, total_steps=steps * config.epochs, board=board)
    phase = Phase(
        name="prune",
        epochs=config.epochs,
        first_epoch=1,
        optimizer=config.optimizer,
        batch_size=config.global_batch_size,
        class_weights=class_weights(config.class_weights, counts),
        seed=config.seed,
        label_smoothing=config.label_smoothing,
        eligible_from=schedule.first_sparse_epoch,
    )
    data = Data(
        train=train,
        validation=validation,
        prepare_train=prepare_pictures(spec, config.augment),
        prepare=prepare_pictures(spec),
    )
    history = run_phase(wrapped, phase, data, clock, on_epoch_end=remask, attempt=attempt)
    sparse = history[phase.eligible_from - 1 :]
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    return Pruned(
        model=stripped,
        history=tuple(history),
        best_epoch=best_epoch(sparse, examples=len(validation)).epoch,
        sparsity=layer_sparsity(stripped, names),
        clock=clock,
    )


def prunable_layers(model: Any, keep_dense: tuple[str, ...]) -> frozenset[str]:
    """Returns the names of the layers to prune.

    Plain convolutions and dense layers are pruned, but not the first convolution nor the
    head, which have few weights on which everything depends, nor what keep_dense names.
    Depthwise kernels stay dense: they are small and each of their weights is alone in its
    channel.

    Raises:
      UserError: a pattern of keep_dense matches no layer, or no layer is left.
    """
    kernels = kernel_layers(model)
    for pattern in keep_dense:
        if not any(re.search(pattern, name) for name in kernels):
            raise UserError(
                f"prune.keep_dense: {pattern} matches no layer with a kernel; the layers are "
                f"{', '.join(kernels)}"
            )
    first = next((name for name, layer in kernels.items() if _is_convolution(layer)), None)
    names = frozenset(
        name
        for name, layer in kernels.items()
        if type(layer) in (keras.layers.Conv2D, keras.layers.Dense)
        and name not in (first, HEAD)
        and not any(re.search(pattern, name) for pattern in keep_dense)
    )
    if not names:
        raise UserError(
            "prune: no layer is left to prune; keep fewer dense in prune.keep_dense, or remove "
            "the prune section"
        )
    return names


def kernel_layers(model: Any) -> dict[str, Any]:
    """Returns the layers with a kernel of rank 2 or more by name, from the input up."""
    return {layer.name: layer for layer in model.layers if _kernels(layer)}


def layer_sparsity(model: Any, pruned: frozenset[str]) -> tuple[LayerSparsity, ...]:
    """Counts the zeros of every kernel of a model without wrappers."""
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


def _wrap(model: Any, names: frozenset[str], config: PruneConfig, schedule: Schedule) -> Any:
    decay = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=config.initial_sparsity,
        final_sparsity=config.final_sparsity,
        begin_step=schedule.begin_step,
        end_step=schedule.end_step,
        frequency=schedule.frequency,
    )

    def wrap(layer: Any) -> Any:
        if layer.name not in names:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=decay)

    return keras.models.clone_model(model, clone_function=wrap)


def _sparsity(wrapped: Any) -> float:
    """Returns the share of zeros among the weights that have a mask."""
    kernels = read_variables(
        [kernel for layer in wrapped.layers for kernel, _, _ in getattr(layer, "pruning_vars", ())]
    )
    return float(sum(map(_zeros, kernels)) / sum(kernel.size for kernel in kernels))


def _kernels(layer: Any) -> list[Any]:
    return [weight for weight in layer.weights if weight.shape.rank >= 2]


def _zeros(kernel: npt.NDArray[np.float32]) -> int:
    return int(kernel.size - np.count_nonzero(kernel))


def _is_convolution(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Conv2D)
