"""The training loop of finetune and compress: phases of epochs of steps.

A phase trains the variables of a model that are trainable when it begins, under one
optimizer, and leaves the model with the weights of the phase's best epoch, which
`best_epoch` finds. A model takes prepared inputs and ends in a dense layer named HEAD and
a softmax layer of its own; dropout before the head is the only thing in it that is random.

What happens at a step is a function of the phase, the step and the weights alone. So a
phase that was interrupted goes on from the state that it kept, and ends with the weights
that it would have had.

Keras' own `fit` can't promise that. Its shuffle and its dropout draw from generators whose
state no checkpoint holds; it can be stopped between epochs, not between steps; and it
weighs the smaller last batch as much as a whole one, so that the sums of several workers
are not those of one. Hence the steps, the order of examples and the noise are ours, and
layers, optimizers and gradients are Keras'.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.bundle import Epoch
from components.common.errors import GivenUp
from components.common.keras import keras, tf
from components.common.training.clock import Clock
from components.common.training.config import ClassWeights
from components.common.training.course import Course
from components.common.training.input_pipeline import (
    evaluation_batches,
    training_batches,
)
from components.common.training.phases import Data, Phase
from components.common.training.prospects import describe_hopeless, find_hopeless
from components.common.training.resumption import Attempt
from components.common.training.strategy import (
    Replicas,
    SynchronizedNorms,
)
from components.common.training.trainer import Trainer, _inputs_signature

EVALUATION_BATCH = 64

_STEPS_TO_AGREE = 8  # Between two questions of several workers whether one must end.


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
      GivenUp: it can't come to the accuracy that the attempt requires; the state is kept.
      UserError: training diverged.
    """
    attempt = attempt or Attempt()
    steps = -(-len(data.train) // phase.batch_size)
    trainer = Trainer(model, phase, steps_per_epoch=steps)
    course = Course(trainer, phase, clock, judged_on=len(data.validation))
    norms = SynchronizedNorms(model, trainer.replicas)
    with attempt.termination.deferred(), norms:
        if (state := attempt.resume()) is not None:
            course.restore(state)
        clock.recall(course.history)
        _check_prospects(course, attempt)
        if not course.ended:
            with clock.profiled() as after_steps:
                _train_epochs(course, data, on_epoch_end, attempt, after_steps)
            attempt.keep(course.capture())
    return course.history


def _train_epochs(
    course: Course,
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
    # An epoch: steps, then the norms' statistics, then the caller's turn (pruning sets its
    # masks), then the verdict of the validation split. A state may be kept after any step, and
    # after the verdict: what lies between is done again after an interruption, and comes out
    # the same.
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
        _check_prospects(course, attempt)
        look()
    course.keep_best()


def _check_prospects(course: Course, attempt: Attempt) -> None:
    """Gives a training up that can't come to what is required; the next one goes on from here.

    Raises:
      GivenUp: with why, and what it took so far.
    """
    required, last = attempt.required_accuracy, course.phase.epoch_numbers[-1]
    if required is None or course.ended:
        return
    found = find_hopeless(course.eligible, last=last, required=required, examples=course.judged_on)
    if found is not None:
        attempt.keep(course.capture())
        reason = describe_hopeless(found, last=last, required=required)
        raise GivenUp(reason, training_s=course.clock.training_s)


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
