"""A student learns from a teacher as the formula says, and nothing else comes of the teacher."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from components.common.documents.bundle import HEAD
from components.common.keras import keras
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.storage import LocalStorage
from components.common.training.checkpoints import Checkpoints
from components.common.training.clock import Clock
from components.common.training.config import Distillation, Optimizer
from components.common.training.examples import KeptExamples
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.phases import Phase
from components.common.training.resumption import Attempt
from components.common.training.strategy import read_variables
from components.common.training.trainer import Trainer
from tests.builders.training import keep_examples, make_data, make_phase
from tests.fakes.termination import Deadline

RATE = 0.5
PHASE = make_phase(
    name="prune",
    learning_rate=RATE,
    optimizer=Optimizer(name="sgd", learning_rate=RATE, schedule="constant", momentum=0.0),
    epochs=3,
    class_weights=(1.0, 3.0, 0.5),
    label_smoothing=0.1,
    distillation=Distillation(temperature=2.5, weight=0.6),
)


@pytest.fixture(autouse=True)
def _deterministic() -> None:
    make_deterministic(0)


def make_student() -> keras.Model:
    features = keras.layers.Input((4,), name="features")
    logits = keras.layers.Dense(3, name=HEAD)(features)
    return keras.Model(features, keras.layers.Softmax(name="probabilities")(logits))


def make_teacher() -> keras.Model:
    """Of another shape than the student, with what training would change: norm and dropout."""
    layers = keras.layers
    features = hidden = layers.Input((4,), name="features")
    hidden = layers.Dense(8, activation="tanh", name="hidden")(hidden)
    hidden = layers.BatchNormalization(momentum=0.5, name="norm")(hidden)
    hidden = layers.Dropout(0.5, name="dropout")(hidden)
    logits = layers.Dense(3, name=HEAD, kernel_initializer=keras.initializers.Orthogonal(4.0))
    return keras.Model(features, layers.Softmax(name="probabilities")(logits(hidden)))


def build(**changes) -> tuple[keras.Model, Phase]:
    keras.utils.set_random_seed(0)
    student = make_student()
    return student, dataclasses.replace(PHASE, teacher=make_teacher(), **changes)


def make_examples(count: int, seed: int) -> KeptExamples:
    random = np.random.default_rng(seed)
    return keep_examples(random.normal(size=(count, 4)), random.integers(0, 3, count))


def train(*, attempt: Attempt | None = None, **changes):
    student, phase = build(**changes)
    data = make_data(make_examples(90, 1), make_examples(30, 2))
    clock = Clock(Events("test"), total_steps=6 * phase.epochs)
    return student, phase, run_phase(student, phase, data, clock, attempt=attempt)


@pytest.fixture(scope="module")
def undisturbed():
    """What PHASE comes to: the student, the phase with its teacher, and the history."""
    make_deterministic(0)
    return train()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("temperature", "weight"),
    [
        (2.5, 0.6),
        pytest.param(1.0, 0.3, marks=pytest.mark.slow),
        pytest.param(3.0, 1.0, marks=pytest.mark.slow),
    ],
)
def test_a_step_is_what_the_formula_says(temperature, weight):
    """Losses and the step of plain SGD, both by NumPy in double precision."""
    distillation = Distillation(temperature=temperature, weight=weight)
    student, phase = build(distillation=distillation)
    examples = make_examples(16, 3)
    points, labels = examples.inputs.numpy().astype(np.float64), examples.labels.numpy()
    kernel, bias = (value.numpy().astype(np.float64) for value in student.weights)
    logits = points @ kernel + bias
    taught = np.log(phase.teacher(examples.inputs, training=False).numpy().astype(np.float64))

    targets = 0.9 * np.eye(3)[labels] + 0.1 / 3
    hard = -(targets * log_softmax(logits)).sum(axis=1)
    soft_teacher = log_softmax(taught / temperature)
    soft_student = log_softmax(logits / temperature)
    divergence = (np.exp(soft_teacher) * (soft_teacher - soft_student)).sum(axis=1)
    importance = np.array(PHASE.class_weights)[labels]
    losses = importance * ((1 - weight) * hard + weight * temperature**2 * divergence)
    gradients = (1 - weight) * (np.exp(log_softmax(logits)) - targets)
    gradients += weight * temperature * (np.exp(soft_student) - np.exp(soft_teacher))
    gradients *= importance[:, None] / 16

    loss, _, count = Trainer(student, phase, steps_per_epoch=1).train(
        examples.inputs, examples.labels
    )
    assert count == 16
    assert float(loss) == pytest.approx(losses.sum(), rel=1e-5)
    after = [value.numpy() for value in student.weights]
    np.testing.assert_allclose(after[0], kernel - RATE * points.T @ gradients, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after[1], bias - RATE * gradients.sum(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_student_comes_to_agree_with_the_teacher():
    """The labels are noise: what is right about them can only be learned from the teacher."""
    points = make_examples(200, 5).inputs

    def agreement(**changes) -> float:
        student, phase, _ = train(epochs=20, class_weights=(1.0,) * 3, **changes)
        return np.mean(student(points).numpy().argmax(1) == phase.teacher(points).numpy().argmax(1))

    taught = agreement(distillation=Distillation(weight=1.0))
    assert taught > agreement(distillation=None) + 0.2
    assert taught > 0.75


def test_the_teacher_is_left_as_it_was_and_is_in_no_state(tmp_path):
    before = [value.copy() for value in build()[1].teacher.get_weights()]
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    student, phase, _ = train(attempt=Attempt(checkpoints))
    for mine, theirs in zip(phase.teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    _, state = checkpoints.load()
    shapes = [value.shape for value in student.get_weights()]
    assert [array.shape for array in state.arrays["model"]] == shapes
    assert [array.shape for array in state.arrays["best"]] == shapes


@pytest.mark.slow
def test_a_model_is_judged_by_the_labels_alone():
    student, phase, history = train(epochs=1)
    probabilities = student(make_examples(30, 2).inputs).numpy()
    labels = make_examples(30, 2).labels.numpy()
    expected = -np.log(probabilities[np.arange(30), labels]).mean()
    assert history[-1].validation_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("look", [0, 3, 6])
def test_an_interrupted_student_ends_as_an_undisturbed_one(undisturbed, tmp_path, look):
    whole, _, history = undisturbed
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    with pytest.raises(Terminated):
        train(attempt=Attempt(checkpoints, termination=Deadline(look)))
    resumed, _, again = train(attempt=Attempt(checkpoints))
    assert again == history
    for mine, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_a_student_in_float16_learns_from_a_teacher_in_float32():
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        features = keras.layers.Input((4,), name="features")
        logits = keras.layers.Dense(3, name=HEAD)(features)
        student = keras.Model(features, keras.layers.Softmax(dtype="float32")(logits))
    finally:
        keras.mixed_precision.set_global_policy(policy)
    # Beyond what float16 holds: the losses are summed in float32.
    phase = dataclasses.replace(
        PHASE, teacher=make_teacher(), distillation=Distillation(temperature=200.0, weight=1.0)
    )
    trainer, examples = Trainer(student, phase, steps_per_epoch=1), make_examples(16, 3)
    first = float(trainer.train(examples.inputs, examples.labels)[0])
    for _ in range(20):
        last = float(trainer.train(examples.inputs, examples.labels)[0])
    assert np.isfinite(first)
    assert last < first / 2


def train_mirrored() -> list[Any]:
    """Trains on the devices of the scope; returns the weights and the losses of the epochs."""
    student, _, history = train()
    weights = [value.tolist() for value in read_variables(student.weights)]
    return [weights, [epoch.loss for epoch in history]]


@pytest.mark.slow
@pytest.mark.xdist_group("two_devices")
def test_two_devices_learn_from_a_teacher_as_one_does(undisturbed, on_two_devices):
    weights, losses = on_two_devices["test_distillation"]
    student, _, history = undisturbed
    assert losses == pytest.approx([epoch.loss for epoch in history], rel=1e-4)
    for mine, theirs in zip(weights, student.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_settings_that_mean_nothing_are_refused():
    for settings in ({"weight": 0.0}, {"weight": 1.5}, {"temperature": 0.0}):
        with pytest.raises(ValidationError):
            Distillation(**settings)
