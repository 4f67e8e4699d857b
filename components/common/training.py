"""The training loop of finetune and prune: phases of epochs of steps.

A phase trains the variables of a model that are trainable when it begins, under one
optimizer, and leaves the model with the weights of the phase's best epoch: the highest
validation accuracy, then the lowest validation loss, then the earliest. A model takes
prepared inputs and ends in a dense layer named HEAD and a softmax layer of its own.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from components.common.documents import Epoch
from components.common.errors import UserError
from components.common.events import Events
from components.common.input_pipeline import (
    Examples,
    Prepare,
    evaluation_batches,
    training_batches,
)
from components.common.keras import keras, tf
from components.common.optimizers import build_optimizer, l2_share
from components.common.training_config import Optimizer

HEAD = "head"

EVALUATION_BATCH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """What one phase of training is told.

    Attributes:
      first_epoch: the number of its first epoch, counted from 1 through all phases.
      class_weights: how much an example of each class counts.
      eligible_from: the first epoch that may be the best one.
    """

    name: Literal["head", "fine_tune", "prune"]
    epochs: int
    first_epoch: int
    optimizer: Optimizer
    batch_size: int
    class_weights: tuple[float, ...]
    seed: int
    label_smoothing: float = 0.0
    patience: int | None = None
    eligible_from: int = 1

    @property
    def epoch_numbers(self) -> range:
        return range(self.first_epoch, self.first_epoch + self.epochs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What a phase learns from and is judged by."""

    train: Examples
    validation: Examples
    prepare_train: Prepare
    prepare: Prepare
    """Without augmentation."""


@dataclasses.dataclass
class Clock:
    """Counts steps for the live view, and where their time goes."""

    events: Events
    total_steps: int
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    waiting_s: float = 0.0
    note: str = ""

    def step(self, examples: int) -> None:
        self.steps += 1
        self.examples += examples
        self.events.progress(self.steps, self.total_steps, "steps", self.note)

    def waits(self, batches: Any) -> Iterator[Any]:
        """Yields the batches and measures the time spent waiting for them."""
        iterator = iter(batches)
        while True:
            started = time.monotonic()
            batch = next(iterator, None)
            self.waiting_s += time.monotonic() - started
            if batch is None:
                return
            yield batch

    def measurements(self) -> dict[str, float]:
        seconds = max(self.seconds, 1e-9)
        return {
            "training_s": self.seconds,
            "examples_per_s": self.examples / seconds,
            "input_wait_share": self.waiting_s / seconds,
        }


def make_deterministic(seed: int) -> None:
    """Makes training repeat bit by bit on the same kind of device with as many threads."""
    keras.backend.clear_session()  # Names of layers count up through a process.
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def run_phase(
    model: Any,
    phase: Phase,
    data: Data,
    clock: Clock,
    *,
    on_epoch_end: Callable[[], float | None] = lambda: None,
) -> list[Epoch]:
    """Trains a model and leaves it with the best epoch's weights.

    Args:
      model: takes what `data` prepares; its trainable variables are trained.
      phase: how.
      data: what it learns from and is judged by.
      clock: is told of every step.
      on_epoch_end: called before an epoch is judged; returns the sparsity to record.

    Returns:
      The epochs, in order; fewer than asked for where it stopped early.

    Raises:
      UserError: training diverged.
    """
    steps = -(-len(data.train) // phase.batch_size)
    trainer = Trainer(model, phase, steps_per_epoch=steps)
    batches = clock.waits(
        training_batches(
            data.train,
            data.prepare_train,
            batch_size=phase.batch_size,
            seed=phase.seed,
            epochs=phase.epoch_numbers,
        )
    )
    validation = evaluation_batches(data.validation, data.prepare, batch_size=EVALUATION_BATCH)
    history: list[Epoch] = []
    best: tuple[Epoch, list[npt.NDArray[Any]]] | None = None
    for number in phase.epoch_numbers:
        loss, accuracy = trainer.train_epoch(batches, steps, clock)
        sparsity = on_epoch_end()
        validation_loss, validation_accuracy = trainer.judge(validation)
        _check_finite(number, loss, validation_loss)
        epoch = Epoch(
            phase=phase.name,
            epoch=number,
            learning_rate=trainer.learning_rate,
            loss=loss,
            accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            sparsity=sparsity,
        )
        history.append(epoch)
        clock.note = f"epoch {number}, validation accuracy {validation_accuracy:.3f}"
        if number >= phase.eligible_from and (best is None or _better(epoch, best[0])):
            best = (epoch, model.get_weights())
        if best and phase.patience and number - best[0].epoch >= phase.patience:
            break
    if best:
        model.set_weights(best[1])
    return history


def best_epoch(history: Sequence[Epoch], *, eligible_from: int = 1) -> Epoch:
    """Returns the epoch whose weights are kept."""
    best: Epoch | None = None
    for epoch in history:
        if epoch.epoch >= eligible_from and (best is None or _better(epoch, best)):
            best = epoch
    if best is None:
        raise ValueError(f"no epoch from {eligible_from} on among {len(history)}")
    return best


def balanced_class_weights(examples_per_class: Sequence[int]) -> tuple[float, ...]:
    """Returns n / (classes * n_class): every class then counts the same in total."""
    total, classes = sum(examples_per_class), len(examples_per_class)
    return tuple(total / (classes * max(1, count)) for count in examples_per_class)


def inference(model: Any) -> Callable[[Any], npt.NDArray[np.float32]]:
    """Returns the model as a compiled function of one batch of prepared inputs."""
    outputs = tf.function(
        lambda inputs: tf.cast(model(inputs, training=False), tf.float32),
        input_signature=[_inputs_signature(model)],
    )
    return lambda inputs: outputs(inputs).numpy()


def native_precision() -> str:
    """Returns Keras' policy for this machine's accelerators: bfloat16 where it is native.

    It needs no loss scaling, other than float16. TPUs have it, and GPUs from compute
    capability 8.0 on.
    """
    if tf.config.list_physical_devices("TPU"):
        return "mixed_bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    if gpus and all(found.get("compute_capability", (0, 0)) >= (8, 0) for found in details):
        return "mixed_bfloat16"
    return "float32"


class Trainer:
    """The compiled steps of one phase."""

    def __init__(self, model: Any, phase: Phase, *, steps_per_epoch: int) -> None:
        (logits,) = tf.nest.flatten(model.output.node.input_tensors)  # Of the softmax.
        self._logits = keras.Model(model.inputs, logits)
        self._phase = phase
        self._optimizer = build_optimizer(
            phase.optimizer, epochs=phase.epochs, steps_per_epoch=steps_per_epoch
        )
        self._loss = keras.metrics.Mean()
        self._accuracy = keras.metrics.Mean()
        self._optimizer.build(model.trainable_variables)
        signature = [_inputs_signature(model), tf.TensorSpec([None], tf.int64)]
        self._train_step = tf.function(self._update, input_signature=signature)
        self._judge_step = tf.function(self._observe, input_signature=signature)

    def train_epoch(self, batches: Iterator[Any], steps: int, clock: Clock) -> tuple[float, float]:
        """Returns the epoch's mean loss and accuracy, as seen while training."""
        self._reset()
        started = time.monotonic()
        for _ in range(steps):
            inputs, labels = next(batches)
            self._train_step(inputs, labels)
            clock.step(len(labels))
        clock.seconds += time.monotonic() - started
        return self._result()

    def judge(self, batches: Any) -> tuple[float, float]:
        """Returns cross entropy and accuracy on other examples."""
        self._reset()
        for inputs, labels in batches:
            self._judge_step(inputs, labels)
        return self._result()

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.learning_rate)

    def _update(self, inputs: Any, labels: Any) -> None:
        phase, variables = self._phase, self._logits.trainable_variables
        classes = len(phase.class_weights)
        targets = tf.one_hot(labels, classes) * (1.0 - phase.label_smoothing)
        targets += phase.label_smoothing / classes
        weights = tf.gather(tf.constant(phase.class_weights, tf.float32), labels)
        decay = l2_share(phase.optimizer)
        with tf.GradientTape() as tape:
            logits = tf.cast(self._logits(inputs, training=True), tf.float32)
            losses = weights * tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            # By the nominal size: the examples of a smaller last batch count no more.
            loss = tf.reduce_sum(losses) / phase.batch_size
            if decay:
                kernels = [v for v in variables if "kernel" in v.name]
                loss += decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self._count(losses, logits, labels)

    def _observe(self, inputs: Any, labels: Any) -> None:
        logits = tf.cast(self._logits(inputs, training=False), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        self._count(losses, logits, labels)

    def _count(self, losses: Any, logits: Any, labels: Any) -> None:
        self._loss.update_state(losses)
        self._accuracy.update_state(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))

    def _reset(self) -> None:
        self._loss.reset_state()
        self._accuracy.reset_state()

    def _result(self) -> tuple[float, float]:
        return float(self._loss.result()), float(self._accuracy.result())


def _check_finite(epoch: int, *losses: float) -> None:
    if not all(map(math.isfinite, losses)):
        raise UserError(
            f"training diverged: the loss of epoch {epoch} is not finite; lower "
            "optimizer.learning_rate, or give it optimizer.warmup_epochs"
        )


def _inputs_signature(model: Any) -> Any:
    return tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32)


def _better(epoch: Epoch, best: Epoch) -> bool:
    return (epoch.validation_accuracy, -epoch.validation_loss) > (
        best.validation_accuracy,
        -best.validation_loss,
    )
