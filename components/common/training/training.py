"""The training loop of finetune and prune: phases of epochs of steps.

A phase trains the variables of a model that are trainable when it begins, under one
optimizer, and leaves the model with the weights of the phase's best epoch, which
`best_epoch` finds. A model takes
prepared inputs and ends in a dense layer named HEAD and a softmax layer of its own;
dropout before the head is the only thing in it that is random.

What happens at a step is a function of the phase, the step and the weights alone. So a
phase that was interrupted goes on from the state that it kept, and ends with the weights
that it would have had.
"""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from components.common.documents.bundle import Epoch
from components.common.errors import DamagedError, UserError
from components.common.process.events import Events
from components.common.training.checkpoints import State
from components.common.training.config import ClassWeights, Optimizer
from components.common.training.input_pipeline import (
    Examples,
    Prepare,
    evaluation_batches,
    training_batches,
)
from components.common.training.keras import keras, tf
from components.common.training.norms import EXAMPLES as EXAMPLES_FOR_NORMS
from components.common.training.norms import MeasuredNorms
from components.common.training.optimizers import build_optimizer, l2_share
from components.common.training.resumption import Attempt
from components.common.training.strategy import (
    Replicas,
    SynchronizedNorms,
    fetch_ahead,
    one_ahead,
    read_variables,
    write_variables,
)
from components.common.training.tensorboard import TensorBoard

HEAD = "head"

EVALUATION_BATCH = 64

_STEPS_AT_ONCE = 8
_CALL_S = 0.25  # Of steps taken at once: a process that is told to end looks as often.
_STEPS_TO_AGREE = 8  # Between two questions of several workers whether one must end.


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
    """Counts a phase's steps for the live view and the curves, and where their time goes.

    Attributes:
      total_steps: of the phase.
      unit: what the live view calls them.
      besides_s: time that training took besides these steps, in the phases before.
    """

    events: Events
    total_steps: int
    board: TensorBoard | None = None
    unit: str = "steps"
    besides_s: float = 0.0
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    waiting_s: float = 0.0
    note: str = ""
    _lap: tuple[int, int, float, float] = (0, 0, 0.0, 0.0)

    def step(self, examples: int) -> None:
        self.steps += 1
        self.examples += examples
        self.events.progress(self.steps, self.total_steps, self.unit, self.note)

    @contextlib.contextmanager
    def runs(self) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds += time.monotonic() - started

    def profiled(self) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        """Profiles a phase, if asked to; the context is what to tell of steps taken."""
        return self.board.profiled() if self.board else contextlib.nullcontext(lambda count: None)

    def recall(self, epochs: Sequence[Epoch]) -> None:
        """Shows the epochs of an earlier attempt; what comes next is measured from here."""
        self._lap = self._counts()
        if self.board is not None:
            self.board.recall(epochs)

    def end_epoch(self, epoch: Epoch) -> None:
        """Shows an epoch, with the speed of its own steps."""
        before, self._lap = self._lap, self._counts()
        if self.board is not None:
            counts = (now - then for now, then in zip(self._lap, before, strict=True))
            self.board.add(epoch, _speed(*counts))

    def measurements(self) -> dict[str, float]:
        return {"training_s": self.training_s, **_speed(*self._counts()), **_device_memory()}

    @property
    def training_s(self) -> float:
        return self.besides_s + self.seconds

    def _counts(self) -> tuple[int, int, float, float]:
        return self.steps, self.examples, self.seconds, self.waiting_s


def _speed(steps: float, examples: float, seconds: float, waiting_s: float) -> dict[str, float]:
    seconds = max(seconds, 1e-9)
    return {
        "examples_per_s": examples / seconds,
        "step_ms": 1000 * seconds / max(steps, 1),
        "input_wait_share": waiting_s / seconds,
    }


def _device_memory() -> dict[str, float]:
    """Returns the most that one of the GPUs has held, where there are any."""
    gpus = tf.config.list_logical_devices("GPU")
    peaks = [
        tf.config.experimental.get_memory_info(gpu.name.removeprefix("/device:"))["peak"]
        for gpu in gpus
    ]
    return {"gpu_memory_bytes": float(max(peaks))} if peaks else {}


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
    attempt: Attempt | None = None,
) -> list[Epoch]:
    """Trains a model and leaves it with the best epoch's weights.

    Args:
      model: takes what `data` prepares; its trainable variables are trained.
      phase: how.
      data: what it learns from and is judged by.
      clock: is told of every step.
      on_epoch_end: called before an epoch is judged; returns the sparsity to record. Called
        again after an interruption, it must change nothing.
      attempt: where the state is kept, and where that of an interrupted attempt is found.

    Returns:
      The epochs, in order; fewer than asked for where it stopped early.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: training diverged.
    """
    attempt = attempt or Attempt()
    steps = -(-len(data.train) // phase.batch_size)
    trainer = Trainer(model, phase, steps_per_epoch=steps)
    course = _Course(trainer, phase, clock, judged_on=len(data.validation))
    norms = SynchronizedNorms(model, trainer.replicas)
    with attempt.termination.deferred(), norms:
        if (state := attempt.resume()) is not None:
            course.restore(state)
        clock.recall(course.history)
        if not course.ended:
            with clock.profiled() as after_steps:
                _train_epochs(course, data, on_epoch_end, attempt, after_steps)
            attempt.keep(course.capture())
    return course.history


def _train_epochs(
    course: "_Course",
    data: Data,
    on_epoch_end: Callable[[], float | None],
    attempt: Attempt,
    after_steps: Callable[[int], None],
) -> None:
    """Takes a phase from where it stands to its end; looks after every step."""
    phase, trainer, clock = course.phase, course.trainer, course.clock
    replicas = trainer.replicas

    def look() -> None:
        ends = attempt.termination.requested
        if replicas.workers > 1:
            # All end after the same step: one that is gone would keep the others waiting.
            agrees = course.step % _STEPS_TO_AGREE == 0 or course.step == trainer.steps_per_epoch
            ends = agrees and bool(replicas.sum_over_workers(np.array([float(ends)]))[0])
        attempt.look(course.capture, ends=ends)

    batches = trainer.fetch_ahead(
        training_batches(
            data.train,
            data.prepare_train,
            batch_size=phase.batch_size,
            seed=phase.seed,
            epochs=phase.epoch_numbers[course.epoch - phase.first_epoch :],
            skip=course.step,
        )
    )
    validation = evaluation_batches(data.validation, data.prepare, batch_size=EVALUATION_BATCH)
    while not course.ended:
        while course.step < trainer.steps_per_epoch:
            with clock.runs():
                steps = trainer.take_steps(batches, trainer.steps_per_epoch - course.step)
                clock.waiting_s += steps.waiting_s
                course.totals.add(steps.sums)
                for _ in range(steps.count):
                    examples = len(data.train) - course.step * phase.batch_size
                    course.step += 1
                    clock.step(min(phase.batch_size, examples))
            after_steps(steps.count)
            look()
        with clock.runs():
            course.totals.settle()  # Waits for the steps that are under way.
        alone = look if replicas.workers == 1 else lambda: None
        trainer.measure_norms(data, course.epoch, alone)
        sparsity = on_epoch_end()
        # Workers judge batches of their own, of which one may have more than another.
        judged = trainer.judge(validation, alone)
        course.end_epoch(judged, sparsity)
        look()
    course.keep_best()


@dataclasses.dataclass(frozen=True)
class Steps:
    """Steps that were taken in one call.

    Attributes:
      count: how many they are.
      sums: float32 [count, 3]: what `Trainer.train` returns for each.
      waiting_s: time that was spent waiting for batches.
    """

    count: int
    sums: Any
    waiting_s: float


class _Totals:
    """Sums over examples: loss, right predictions, count; in double precision.

    Steps run ahead of the numbers that they yield, which are waited for as late as can be.
    """

    def __init__(self) -> None:
        self.settled = np.zeros(3)
        self._pending: list[Any] = []

    def add(self, sums: Any) -> None:
        self._pending.append(sums)

    def settle(self) -> npt.NDArray[np.float64]:
        for pending in self._pending:
            for sums in np.asarray(pending, np.float64).reshape(-1, 3):
                self.settled = self.settled + sums
        self._pending.clear()
        return self.settled

    def means(self) -> tuple[float, float]:
        """Returns mean loss and accuracy."""
        loss, right, count = self.settle()
        return float(loss / count), float(right / count)


class _Course:
    """Where a phase stands: between two steps, or between two epochs."""

    def __init__(self, trainer: "Trainer", phase: Phase, clock: Clock, judged_on: int) -> None:
        self.trainer, self.phase, self.clock = trainer, phase, clock
        self._judged_on = judged_on
        self.epoch = phase.first_epoch
        self.step = 0  # Of the epoch: how many are done.
        self.ended = False
        self.history: list[Epoch] = []
        self.totals = _Totals()
        self._best: tuple[Epoch, list[npt.NDArray[Any]]] | None = None

    def end_epoch(self, judged: _Totals, sparsity: float | None) -> None:
        """Records the epoch that was just judged, and goes on to the next, if there is one."""
        phase, (loss, accuracy) = self.phase, self.totals.means()
        validation_loss, validation_accuracy = judged.means()
        _check_finite(self.epoch, loss, validation_loss)
        epoch = Epoch(
            phase=phase.name,
            epoch=self.epoch,
            learning_rate=self.trainer.learning_rate,
            loss=loss,
            accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            sparsity=sparsity,
        )
        self.history.append(epoch)
        self.clock.end_epoch(epoch)
        self.clock.note = f"epoch {epoch.epoch}, validation accuracy {validation_accuracy:.3f}"
        eligible = [known for known in self.history if known.epoch >= phase.eligible_from]
        stale = False
        if eligible:
            if best_epoch(eligible, examples=self._judged_on) is epoch:
                self._best = (epoch, read_variables(self.trainer.model.weights))
            highest = max(eligible, key=lambda e: (e.validation_accuracy, -e.validation_loss))
            stale = epoch.epoch - highest.epoch >= (phase.patience or math.inf)
        self.ended = stale or epoch.epoch == phase.epoch_numbers[-1]
        self.epoch, self.step, self.totals = epoch.epoch + 1, 0, _Totals()

    def keep_best(self) -> None:
        if self._best is not None:
            write_variables(self.trainer.model.weights, self._best[1])

    def capture(self) -> State:
        """Returns everything that `restore` needs to go on from here."""
        best, clock = self._best, self.clock
        return State(
            position={
                "epoch": self.epoch,
                "step": self.step,
                "ended": self.ended,
                "history": [epoch.model_dump(mode="json") for epoch in self.history],
                "best": best[0].epoch if best is not None else None,
                "clock": {name: getattr(clock, name) for name in _KEPT_OF_CLOCK},
            },
            arrays={
                "model": read_variables(self.trainer.model.weights),
                "optimizer": read_variables(self.trainer.optimizer_variables),
                "totals": [self.totals.settle()],
                "best": best[1] if best is not None else [],
            },
        )

    def restore(self, state: State) -> None:
        """Puts a kept state back.

        Raises:
          DamagedError: it is none of this training.
        """
        try:
            self._restore(state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DamagedError(
                f"what an earlier attempt at this training kept does not fit it ({error}); remove "
                "its folder below checkpoints/ of the data root, and run again"
            ) from error

    def _restore(self, state: State) -> None:
        position, arrays = state.position, state.arrays
        self.epoch, self.step = position["epoch"], position["step"]
        self.ended = position["ended"]
        self.history = [Epoch.model_validate(epoch) for epoch in position["history"]]
        self.totals.settled = arrays["totals"][0]
        best = position["best"]
        if best is not None:
            epoch = self.history[best - self.phase.first_epoch]
            self._best = (epoch, list(arrays["best"]))
        for name in _KEPT_OF_CLOCK:
            setattr(self.clock, name, position["clock"][name])
        write_variables(self.trainer.model.weights, arrays["model"])
        write_variables(self.trainer.optimizer_variables, arrays["optimizer"])


_KEPT_OF_CLOCK = ("steps", "examples", "seconds", "waiting_s", "besides_s")


def best_epoch(epochs: Sequence[Epoch], *, examples: int) -> Epoch:
    """Returns the latest epoch that is not clearly worse than the best.

    Of epochs within one standard error of the highest validation accuracy none is known to
    be better (the rule of Breiman, Friedman, Olshen and Stone, Classification and
    Regression Trees, 1984, section 3.4.3), and the latest was trained longest, at the lowest
    rate. The highest one itself is often a matter of luck where validation is small.

    Args:
      epochs: in order, one at least.
      examples: how many they were judged by.
    """
    highest = max(epoch.validation_accuracy for epoch in epochs)
    least = highest - math.sqrt(highest * (1.0 - highest) / examples)
    return [epoch for epoch in epochs if epoch.validation_accuracy >= least][-1]


def class_weights(how: ClassWeights, examples_per_class: Sequence[int]) -> tuple[float, ...]:
    """Returns how much an example of each class counts in training.

    Balanced, that is n / (classes * n_class): every class then counts the same in total.
    """
    total, classes = sum(examples_per_class), len(examples_per_class)
    if how == "none":
        return (1.0,) * classes
    return tuple(total / (classes * max(1, count)) for count in examples_per_class)


def inference(model: Any) -> Callable[[Any], npt.NDArray[np.float32]]:
    """Returns the model as a compiled function of one batch of prepared inputs."""
    replicas = Replicas()
    outputs = replicas.compile(
        lambda inputs: tf.cast(model(inputs, training=False), tf.float32),
        [_inputs_signature(model)],
    )
    return lambda inputs: np.concatenate(
        [output.numpy() for output in outputs(*replicas.split([inputs]))]
    )


def native_precision() -> str:
    """Returns Keras' policy for this machine's accelerators.

    TPUs have bfloat16, and GPUs from compute capability 8.0 on, where it needs no loss
    scaling; from 7.0 on GPUs have units for float16.
    """
    if tf.config.list_physical_devices("TPU"):
        return "mixed_bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return precision_for([found.get("compute_capability", (0, 0)) for found in details])


def precision_for(capabilities: Sequence[tuple[int, int]]) -> str:
    """Returns Keras' policy for GPUs of some compute capabilities; the least decides."""
    least = min(capabilities, default=(0, 0))
    if least >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if least >= (7, 0) else "float32"


class Trainer:
    """The compiled steps of one phase."""

    def __init__(self, model: Any, phase: Phase, *, steps_per_epoch: int) -> None:
        self.model = model
        self.optimizer = build_optimizer(
            phase.optimizer, epochs=phase.epochs, steps_per_epoch=steps_per_epoch
        )
        self._scales = any(layer.compute_dtype == "float16" for layer in model.layers)
        if self._scales:
            # Skips steps whose gradients overflow, and looks for the scale that just fits.
            self.optimizer = keras.mixed_precision.LossScaleOptimizer(self.optimizer)
        self.steps_per_epoch = steps_per_epoch
        self.replicas = Replicas()
        self._phase = phase
        self._classify = _WithoutSoftmax(model)
        self.optimizer.build(model.trainable_variables)
        labels, places = tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int32)
        signature = [_inputs_signature(model), labels]
        self._train = self.replicas.compile(self._update, [*signature, places])
        self._train_ahead = tf.function(self._update_ahead, reduce_retracing=True)
        self._pace = 1
        self._judge = self.replicas.compile(self._observe, signature)
        self._norms = MeasuredNorms(model)
        self._gauge = self.replicas.compile(self._pass_through, [*signature, places])

    @property
    def learning_rate(self) -> float:
        return float(read_variables([self.optimizer.learning_rate])[0])

    @property
    def optimizer_variables(self) -> list[Any]:
        # The current rate is a variable of its own, and recorded at an epoch's end.
        found = [*self.optimizer.variables, self.optimizer.learning_rate]
        if self._scales:
            # Keras lists neither among the variables, nor gives the scale's own.
            scale = self.optimizer._loss_scale._current_loss_scale
            found += [scale, self.optimizer.dynamic_counter]
        return found

    def train(self, inputs: Any, labels: Any, places: Any = None) -> Any:
        """Takes one step.

        Args:
          inputs: [b, ...], this worker's examples of the global batch.
          labels: int64 [b].
          places: int32 [b], where in the global batch they stand; from 0 by default.

        Returns:
          Loss, right predictions and examples, summed over the global batch: float32 [3].
        """
        if places is None:
            places = tf.range(tf.size(labels))
        return self._train(*self._split(inputs, labels, places))[0]

    def fetch_ahead(self, batches: Any) -> Iterator[Any]:
        """Returns an iterator of a tf.data.Dataset's batches for `take_steps`.

        They are brought to the devices that train while these compute on those before.
        """
        if tf.distribute.has_strategy():
            return one_ahead(self._split(*batch) for batch in batches)
        return iter(fetch_ahead(batches))

    def take_steps(self, batches: Iterator[Any], most: int) -> Steps:
        """Takes steps on the next batches, for about as long as may pass between two looks.

        Without a strategy they are taken in one call, which spares small models the time that
        Python takes between two steps. How many does not matter to what comes out.

        Args:
          batches: as `fetch_ahead` returns them.
          most: how many steps, at most.
        """
        started = time.monotonic()
        if tf.distribute.has_strategy():
            batch = next(batches)
            waiting_s = time.monotonic() - started
            return Steps(1, self._train(*batch)[0], waiting_s)
        count = min(self._pace, most)
        sums, waiting_s = self._train_ahead(batches, tf.constant(count))
        step_s = (time.monotonic() - started) / count
        self._pace = max(1, min(_STEPS_AT_ONCE, int(_CALL_S / step_s)))
        return Steps(count, sums, float(waiting_s))

    def measure_norms(self, data: Data, epoch: int, look: Callable[[], None]) -> None:
        """Measures the statistics of BatchNorm layers whose moving averages are too slow.

        What it does depends on the weights that are trained, on the data and on the epoch.

        Args:
          data: the training pictures are taken as they are, without augmentation.
          epoch: the order of the pictures depends on it.
          look: called after every batch.
        """
        if not self._norms.layers:
            return
        size, seed = self._phase.batch_size, self._phase.seed
        # The last batch of an epoch may have a few pictures or one, whose variance is none.
        count = max(1, min(len(data.train), EXAMPLES_FOR_NORMS) // size)
        batches = training_batches(
            data.train, data.prepare, batch_size=size, seed=seed, epochs=[epoch]
        )
        for batch in self.fetch_ahead(batches.take(count)):
            with self._norms.as_they_come():
                self._gauge(*batch)
            self._norms.add_batch()
            look()
        self._norms.settle()

    def judge(self, batches: Any, look: Callable[[], None]) -> _Totals:
        """Sums cross entropy and right predictions over other examples."""
        totals = _Totals()
        for batch in self.fetch_ahead(batches):
            for sums in self._judge(*batch):
                totals.add(sums)
            look()
        totals.settled = self.replicas.sum_over_workers(totals.settle())
        return totals

    def _split(self, *batch: Any) -> Sequence[Any]:
        """Gives each local replica its part of a batch, an example at least.

        Some layers can't take an empty batch. What is added has the label -1 and counts
        nothing, but that BatchNorm sees it where it is trained: a last batch with fewer
        examples than replicas is not quite what it would be on one device.
        """
        missing = self.replicas.local - len(batch[0])
        if missing <= 0:
            return self.replicas.split(batch)
        fill = (0, -1, 0)  # Of inputs, labels and places.
        paddings = ([[0, missing]] + [[0, 0]] * (tensor.shape.rank - 1) for tensor in batch)
        padded = [
            tf.pad(tensor, padding, constant_values=value)
            for tensor, padding, value in zip(batch, paddings, fill, strict=False)
        ]
        return self.replicas.split(padded)

    def _update(self, inputs: Any, labels: Any, places: Any) -> Any:
        phase, variables = self._phase, self.model.trainable_variables
        classes = len(phase.class_weights)
        targets = tf.one_hot(labels, classes) * (1.0 - phase.label_smoothing)
        targets += phase.label_smoothing / classes
        weights = tf.gather(tf.constant(phase.class_weights, tf.float32), tf.maximum(labels, 0))
        weights *= tf.cast(labels >= 0, tf.float32)
        decay = l2_share(phase.optimizer)
        with tf.GradientTape() as tape:
            seed = self._dropout_seed()
            logits = self._classify.training(inputs, seed, places, phase.batch_size)
            losses = weights * tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            # By the nominal size: the examples of a smaller last batch count no more.
            loss = tf.reduce_sum(losses) / phase.batch_size
            if decay:
                kernels = [v for v in variables if "kernel" in v.name]
                penalty = decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
                loss += penalty / self.replicas.count
            if self._scales:
                loss = self.optimizer.get_scaled_loss(loss)
        gradients = tape.gradient(loss, variables)
        if self._scales:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, _sums(losses, logits, labels))

    def _update_ahead(self, batches: Any, count: Any) -> Any:
        sums = tf.TensorArray(tf.float32, count, element_shape=[3])
        waiting_s = tf.constant(0.0, tf.float64)
        for step in tf.range(count):
            started = _now()
            with tf.control_dependencies([started]):
                batch = next(batches)
            with tf.control_dependencies(batch):
                waiting_s += _now() - started
            sums = sums.write(step, self.replicas.strategy.run(self._update, batch))
        return sums.stack(), waiting_s

    def _observe(self, inputs: Any, labels: Any) -> Any:
        logits = self._classify(inputs)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
        losses *= tf.cast(labels >= 0, tf.float32)
        return _sums(losses, logits, labels)

    def _pass_through(self, inputs: Any, labels: Any, places: Any) -> Any:
        return tf.reduce_sum(self._classify.features(inputs))

    def _dropout_seed(self) -> Any:
        """Returns the step's seed, a function of the phase and the step alone: int64 [2]."""
        first = (self._phase.first_epoch - 1) * self.steps_per_epoch
        step = tf.cast(self.optimizer.iterations, tf.int64) + first
        # Negative numbers, so that augmentation, which has these steps too, draws others.
        return tf.stack([tf.constant(self._phase.seed, tf.int64), -1 - step])


def _now() -> Any:
    """Returns the time in seconds, within a graph: tf.timestamp refuses to be deterministic."""
    return tf.ensure_shape(tf.numpy_function(time.monotonic, [], tf.float64), [])


class _WithoutSoftmax:
    """A classifier up to its logits, with dropout before the head that has no hidden state."""

    def __init__(self, model: Any) -> None:
        (logits,) = tf.nest.flatten(model.output.node.input_tensors)  # Of the softmax.
        (features,) = tf.nest.flatten(logits.node.input_tensors)
        self._head = logits.node.layer
        self._rate = 0.0
        if isinstance(features.node.layer, keras.layers.Dropout):
            self._rate = features.node.layer.rate
            (features,) = tf.nest.flatten(features.node.input_tensors)
        self._body = keras.Model(model.inputs, features)

    def __call__(self, inputs: Any) -> Any:
        """Returns logits float32 [b, classes], as the model would in inference."""
        return tf.cast(self._head(self._body(inputs, training=False)), tf.float32)

    def features(self, inputs: Any) -> Any:
        """Returns what the head sees in training, before dropout."""
        return self._body(inputs, training=True)

    def training(self, inputs: Any, seed: Any, places: Any, batch_size: int) -> Any:
        """Returns logits float32 [b, classes] with the dropout that a seed gives.

        The noise is drawn for `batch_size` examples and taken by their places, so that an
        example's does not depend on how many there are beside it.
        """
        features = self.features(inputs)
        if self._rate:
            noise = tf.random.stateless_uniform([batch_size, features.shape[-1]], seed)
            kept = tf.cast(tf.gather(noise, places) >= self._rate, features.dtype)
            features = features * kept / tf.cast(1.0 - self._rate, features.dtype)
        return tf.cast(self._head(features), tf.float32)


def _sums(losses: Any, logits: Any, labels: Any) -> Any:
    right = tf.cast(tf.argmax(logits, 1) == labels, tf.float32)
    count = tf.reduce_sum(tf.cast(labels >= 0, tf.float32))
    return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(right), count])


def _check_finite(epoch: int, *losses: float) -> None:
    if not all(map(math.isfinite, losses)):
        raise UserError(
            f"training diverged: the loss of epoch {epoch} is not finite; lower "
            "optimizer.learning_rate, or give it optimizer.warmup_epochs"
        )


def _inputs_signature(model: Any) -> Any:
    return tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32)
