"""Fine-tuning: a new head on a frozen backbone, then the backbone's top at a lower rate.

A backbone without weights is trained whole, in one phase.
"""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from components.common.documents.bundle import HEAD, AnyArchitecture, Epoch, ModelInput
from components.common.keras import keras
from components.common.tasks.graphs import build_classifier
from components.common.tasks.tuning import tuning_of
from components.common.training.best_epoch import best_epoch
from components.common.training.clock import Clock
from components.common.training.examples import MEMORY_BYTES, Examples, KeptExamples
from components.common.training.input_pipeline import keep_computed
from components.common.training.linear_head import fit_head
from components.common.training.loop import EVALUATION_BATCH, class_weights, inference, run_phase
from components.common.training.phases import Data, Phase
from components.common.training.resumption import Attempt
from components.common.training.session import Session
from components.common.training.strategy import read_variables, write_variables
from components.finetune.config import TrainConfig, Unfreeze

_HEAD_LAYERS = ("pool", "dropout", HEAD, "probabilities")


def build_model(
    config: TrainConfig,
    spec: ModelInput,
    classes: int,
    *,
    weights: str,
    precision: str = "float32",
) -> Any:
    """Returns a classifier on a backbone.

    Args:
      config: names the backbone.
      spec: what the model is given.
      classes: how many there are.
      weights: `none`, `imagenet` or the path of a local file.
      precision: Keras' policy for the layers, such as `mixed_bfloat16`.

    Returns:
      A flat functional model: one tensor [n, ...], prepared as `spec` says, to probabilities
      float32 [n, classes].
    """
    own = tuning_of(config.task)
    architecture = own.describe_architecture(config, weights)
    model = build_classifier(architecture, spec, classes, precision=precision)
    own.assign_pretrained(model, config, weights)
    return model


def in_float32(trained: Any, architecture: AnyArchitecture, spec: ModelInput) -> Any:
    """Returns the model with the same weights, outside any strategy, for inference."""
    weights, classes = read_variables(trained.weights), trained.output_shape[-1]
    model = build_classifier(architecture, spec, classes)
    model.set_weights(weights)
    return model


def fine_tune(
    model: Any, config: TrainConfig, session: Session
) -> tuple[tuple[Epoch, ...], int, Clock]:
    """Trains a model and leaves it with the weights of the best phase's best epoch.

    Args:
      model: as `build_model` made it, with the backbone's weights in it.
      config: how to train.
      session: what it learns from, and who is told of it.

    Returns:
      The history of all phases, the number of the epoch whose weights are kept, the clock
      of the last phase.

    Raises:
      Terminated: the process was told to end; the state is kept.
    """
    data, attempt = session.data(config.augmentation), session.attempt
    own = tuning_of(config.task)
    phases = tuple(_phases(config, session.examples_per_class))
    steps = session.steps_per_epoch(config.global_batch_size)
    history: list[Epoch] = []
    besides_s = 0.0
    for number in attempt.phases(len(phases)):
        start = read_variables(model.weights) if history else ()
        history, begun_with = attempt.enter_phase(number, history, start)
        if begun_with:
            write_variables(model.weights, begun_with)
        phase = dataclasses.replace(phases[number], first_epoch=len(history) + 1)
        # One for each phase: a step of another one takes another time.
        clock = Clock(
            session.events,
            total_steps=steps * phase.epochs,
            board=session.board,
            unit="head steps" if phase.name == "head" else "steps",
            besides_s=besides_s,
        )
        clock.recall(history)
        if phase.name == "head":
            epochs = _train_head(model, phase, data, clock, config, attempt)
        else:
            learner = own.adapt(model, config)
            if config.unfreeze is not None:
                unfreeze_top(model, config.unfreeze)
            phase = dataclasses.replace(phase, rates=own.rates(model, config))
            epochs = run_phase(learner, phase, data, clock, attempt=attempt)
            own.merge(learner, model)
        best = best_epoch(epochs, examples=len(session.validation))
        if history:
            before = best_epoch(history, examples=len(session.validation))
            if best_epoch([before, best], examples=len(session.validation)) is before:
                best = before
                write_variables(model.weights, begun_with)
        history = [*history, *epochs]
        besides_s = clock.training_s
    return tuple(history), best.epoch, clock


def backbone_layers(model: Any) -> list[Any]:
    """Returns the layers below the head that have weights, from the input up."""
    return [layer for layer in model.layers if layer.name not in _HEAD_LAYERS and layer.weights]


def freeze_backbone(model: Any) -> None:
    for layer in backbone_layers(model):
        layer.trainable = False


def unfreeze_top(model: Any, unfreeze: Unfreeze) -> None:
    """Makes a share of the backbone's layers trainable, but never BatchNorm.

    A frozen BatchNorm layer normalises by its stored statistics, also in training: a small
    data set would spoil them.
    """
    layers = backbone_layers(model)
    first = len(layers) - math.ceil(unfreeze.layers * len(layers))
    for number, layer in enumerate(layers):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not is_norm


def _phases(config: TrainConfig, counts: Sequence[int]) -> Iterator[Phase]:
    first = Phase(
        name="head" if config.is_pretrained else "fine_tune",
        epochs=config.epochs,
        first_epoch=1,
        optimizer=config.optimizer,
        batch_size=config.global_batch_size,
        class_weights=class_weights(config.class_weights, counts),
        seed=config.seed,
        label_smoothing=config.label_smoothing,
        patience=config.early_stopping_patience,
    )
    yield first
    if (second := config.second_phase) is not None:
        yield dataclasses.replace(
            first,
            name="fine_tune",
            epochs=second.epochs,
            optimizer=config.optimizer.model_copy(update={"learning_rate": second.learning_rate}),
        )


def _train_head(
    model: Any,
    phase: Phase,
    data: Data,
    clock: Clock,
    config: TrainConfig,
    attempt: Attempt,
) -> list[Epoch]:
    """Trains the head on a frozen backbone.

    Where each example is the same in every epoch, so are its features, and these are
    computed once. A head that is only where a second phase starts from is trained so:
    augmentation waits for the layers that have something to learn from it. On few examples it is
    not trained but fitted, where the task asks for that.
    """
    freeze_backbone(model)
    augments = tuning_of(config.task).changes_examples(config) and config.second_phase is None
    if not augments:
        data = dataclasses.replace(data, prepare_train=data.prepare)
    pooled = model.get_layer("pool").output
    feature_bytes = pooled.shape[-1] * np.dtype(np.float32).itemsize
    if augments or len(data.train) * feature_bytes > MEMORY_BYTES:
        return run_phase(model, phase, data, clock, attempt=attempt)
    extract = inference(keras.Model(model.input, pooled))
    features = outputs = keras.layers.Input(pooled.shape[1:], name="features")
    for name in _HEAD_LAYERS[1:]:
        outputs = model.get_layer(name)(outputs)

    done, total = 0, len(data.train) + len(data.validation)

    def extract_and_tell(inputs: Any) -> Any:
        nonlocal done
        computed = extract(inputs)
        done += len(computed)
        clock.events.progress(done, total, "examples", "computing features")
        return computed

    def extract_from(examples: Examples) -> KeptExamples:
        return keep_computed(examples, data.prepare, extract_and_tell, batch_size=EVALUATION_BATCH)

    started = time.monotonic()
    train, validation = extract_from(data.train), extract_from(data.validation)
    if config.fits_head(len(train)) and train.own is None:
        fitted = _fit_head(model.get_layer(HEAD), phase, train, validation)
        clock.besides_s += time.monotonic() - started
        clock.end_epoch(fitted)
        return [fitted]
    extracted = Data(
        train=train,
        validation=validation,
        prepare_train=lambda inputs, *places: inputs,
        prepare=lambda inputs, *places: inputs,
    )
    clock.besides_s += time.monotonic() - started
    return run_phase(keras.Model(features, outputs), phase, extracted, clock, attempt=attempt)


def _fit_head(layer: Any, phase: Phase, train: KeptExamples, validation: KeptExamples) -> Epoch:
    """Gives a head the weights that `fit_head` finds, and tells of it as of one epoch."""
    splits = [(each.inputs.numpy(), each.labels.numpy()) for each in (train, validation)]
    found = fit_head(*splits, class_weights=phase.class_weights)
    write_variables(layer.weights, [found.kernel, found.bias])
    return Epoch(
        phase=phase.name,
        epoch=phase.first_epoch,
        learning_rate=0.0,
        loss=found.loss,
        accuracy=found.accuracy,
        validation_loss=found.validation_loss,
        validation_accuracy=found.validation_accuracy,
    )
