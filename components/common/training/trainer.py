"""Steps of training and of judging, compiled: over one device or several."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.keras import keras, tf
from components.common.training.distillation import distil
from components.common.training.input_pipeline import (
    training_batches,
)
from components.common.training.norms import EXAMPLES as EXAMPLES_FOR_NORMS
from components.common.training.norms import MeasuredNorms
from components.common.training.optimizers import build_optimizer, l2_share
from components.common.training.phases import Data, Phase
from components.common.training.strategy import (
    Replicas,
    fetch_ahead,
    one_ahead,
    read_variables,
)

_STEPS_AT_ONCE = 8

_CALL_S = 0.25  # Of steps taken at once: a process that is told to end looks as often.


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


class Totals:
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


class Trainer:
    """The compiled steps of one phase."""

    def __init__(self, model: Any, phase: Phase, *, steps_per_epoch: int) -> None:
        self.model = model
        self.optimizer = build_optimizer(
            phase.optimizer,
            epochs=phase.epochs,
            steps_per_epoch=steps_per_epoch,
            shares=tuple(_shares(model, phase)) if phase.rates else (),
        )
        self._scales = any(layer.compute_dtype == "float16" for layer in model.layers)
        if self._scales:
            # Skips steps whose gradients overflow, and looks for the scale that just fits.
            self.optimizer = keras.mixed_precision.LossScaleOptimizer(self.optimizer)
        self.steps_per_epoch = steps_per_epoch
        self.replicas = Replicas()
        self._phase = phase
        self._classify = _WithoutSoftmax(model)
        if phase.distillation is not None:
            self._teach = _WithoutSoftmax(phase.teacher)
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
            # TensorFlow's own distributed datasets shard and rebatch as they see fit; here every
            # replica must get the places that are its own.
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

    def judge(self, batches: Any, look: Callable[[], None]) -> Totals:
        """Sums cross entropy and right predictions over other examples."""
        totals = Totals()
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

    @tf.autograph.experimental.do_not_convert  # As `Replicas.compile` does.
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
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            if phase.distillation is not None:
                losses = distil(losses, logits, self._teach(inputs), phase.distillation)
            losses *= weights
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


def _shares(model: Any, phase: Phase) -> Iterator[float]:
    """Yields which share of the learning rate each trained variable has."""
    rates = {
        id(variable): phase.rates.get(layer.name, 1.0)
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    return (rates[id(variable)] for variable in model.trainable_variables)


def _inputs_signature(model: Any) -> Any:
    (inputs,) = model.inputs
    return tf.TensorSpec([None, *inputs.shape[1:]], inputs.dtype)
