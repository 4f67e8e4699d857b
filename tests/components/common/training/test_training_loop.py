"""The training loop: rates, optimizers, the best epoch, and the bundle's files."""

import dataclasses
import math

import numpy as np
import pytest

from components.common.documents.bundle import HEAD, Epoch
from components.common.errors import UserError
from components.common.keras import keras, tf
from components.common.process.events import Events
from components.common.training.best_epoch import best_epoch
from components.common.training.clock import Clock
from components.common.training.config import Optimizer
from components.common.training.examples import KeptExamples
from components.common.training.input_pipeline import training_batches
from components.common.training.loop import class_weights, make_deterministic, run_phase
from components.common.training.optimizers import WarmUpAndDecay, build_optimizer
from components.common.training.phases import Data, Phase
from components.common.training.precision import precision_for
from components.common.training.strategy import read_variables
from components.common.training.trainer import Trainer
from tests.builders.training import keep_examples, make_data, make_phase

PHASE = make_phase(name="head", epochs=4, learning_rate=0.05)


def make_model(*, classes: int = 2) -> keras.Model:
    features = keras.layers.Input((2,), name="features")
    logits = keras.layers.Dense(classes, name=HEAD)(features)
    return keras.Model(features, keras.layers.Softmax(name="probabilities")(logits), name="line")


def make_examples(count: int, seed: int, *, flipped: float = 0.0) -> KeptExamples:
    """Points of the plane, labelled by the side of a line; some labels may be wrong."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, 2)).astype(np.float32)
    labels = (points.sum(axis=1) > 0) ^ (random.uniform(size=count) < flipped)
    return keep_examples(points, labels)


def make_points(**changes) -> Data:
    data = make_data(make_examples(100, 1), make_examples(60, 2))
    return dataclasses.replace(data, **changes)


def train(phase: Phase = PHASE, data: Data | None = None, **options):
    make_deterministic(phase.seed)
    model = make_model()
    clock = Clock(Events("test"), total_steps=7 * phase.epochs)
    history = run_phase(model, phase, data or make_points(), clock, **options)
    return model, history, clock


@pytest.fixture(scope="module")
def once():
    """What PHASE comes to: the model, its history and the clock."""
    return train()


def epoch(number: int, accuracy: float, loss: float) -> Epoch:
    return Epoch(
        phase="head",
        epoch=number,
        learning_rate=0.1,
        loss=0.0,
        accuracy=0.0,
        validation_loss=loss,
        validation_accuracy=accuracy,
    )


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
    schedule = WarmUpAndDecay(0.4, steps=20, warmup_steps=4, cosine=True)
    rates = [float(schedule(step)) for step in range(21)]
    assert rates[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    for step in range(4, 21):
        assert rates[step] == pytest.approx(
            0.2 * (1 + math.cos(math.pi * (step - 4) / 16)), abs=1e-7
        )


def test_a_constant_rate_stays_after_its_warm_up():
    schedule = WarmUpAndDecay(0.4, steps=20, warmup_steps=2, cosine=False)
    assert [float(schedule(step)) for step in (0, 1, 2, 19)] == pytest.approx([0.2, 0.4, 0.4, 0.4])


@pytest.mark.parametrize(
    "name",
    [
        "adam",
        pytest.param("adamw", marks=pytest.mark.slow),
        pytest.param("sgd", marks=pytest.mark.slow),
    ],
)
def test_every_optimizer_learns(name):
    rate = 0.5 if name == "sgd" else 0.3
    optimizer = Optimizer(name=name, learning_rate=rate, weight_decay=1e-3, warmup_epochs=1)
    _, history, _ = train(dataclasses.replace(PHASE, optimizer=optimizer))
    assert history[-1].validation_accuracy >= 0.95
    assert history[0].learning_rate == pytest.approx(rate, rel=0.01)
    assert history[-1].learning_rate < rate / 10


def test_adamw_decays_kernels_and_spares_biases():
    optimizer = build_optimizer(
        Optimizer(name="adamw", learning_rate=0.1, schedule="constant", weight_decay=0.5),
        epochs=1,
        steps_per_epoch=1,
    )
    kernel, bias = tf.Variable([1.0], name="kernel"), tf.Variable([1.0], name="bias")
    optimizer.build([kernel, bias])
    optimizer.apply_gradients([(tf.zeros([1]), kernel), (tf.zeros([1]), bias)])
    assert kernel.numpy() == pytest.approx(1 - 0.1 * 0.5)
    assert bias.numpy() == pytest.approx(1)


def test_weight_decay_of_sgd_shrinks_kernels_alone():
    """One example with label smoothing 1 on zero inputs: no gradient but the decay's."""
    zeros = KeptExamples(inputs=tf.zeros([1, 2]), labels=tf.constant([0], tf.int64))
    optimizer = Optimizer(
        name="sgd", learning_rate=0.1, schedule="constant", weight_decay=0.5, momentum=0.0
    )
    phase = dataclasses.replace(PHASE, epochs=1, optimizer=optimizer, batch_size=1)
    make_deterministic(0)
    model = make_model()
    before = model.get_layer(HEAD).kernel.numpy()
    run_phase(
        model, phase, make_points(train=zeros, validation=zeros), Clock(Events("t"), total_steps=1)
    )
    np.testing.assert_allclose(model.get_layer(HEAD).kernel.numpy(), before * 0.95, rtol=1e-5)


def test_training_twice_gives_the_same_weights_and_history(once):
    (one, first, _), (other, second, _) = once, train()
    assert first == second
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_gives_other_weights(once):
    one, other = once[0], train(dataclasses.replace(PHASE, seed=1))[0]
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize("eligible_from", [1, 6])
def test_the_model_ends_with_the_weights_of_the_best_eligible_epoch(eligible_from):
    weights = []
    phase = dataclasses.replace(
        PHASE,
        epochs=6,
        optimizer=Optimizer(name="sgd", learning_rate=30.0, schedule="constant"),
        eligible_from=eligible_from,
    )
    data = make_points(
        train=make_examples(100, 1, flipped=0.4), validation=make_examples(60, 2, flipped=0.2)
    )
    make_deterministic(0)
    model = make_model()

    def remember() -> None:
        weights.append(model.get_weights())

    history = run_phase(
        model, phase, data, Clock(Events("t"), total_steps=42), on_epoch_end=remember
    )
    best = best_epoch(history[eligible_from - 1 :], examples=60).epoch
    anywhere = best_epoch(history, examples=60).epoch
    assert anywhere < 6, "the last epoch proves nothing"
    assert (best == anywhere) == (eligible_from == 1)
    for kept, expected in zip(model.get_weights(), weights[best - 1], strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_the_best_epoch_is_the_latest_that_is_not_clearly_worse():
    history = [epoch(1, 0.80, 0.9), epoch(2, 0.90, 0.4), epoch(3, 0.88, 0.3), epoch(4, 0.84, 0.2)]
    # One standard error of 0.9: 0.03 of a hundred examples, 0.0095 of a thousand.
    assert best_epoch(history, examples=100).epoch == 3
    assert best_epoch(history, examples=1000).epoch == 2
    assert best_epoch(history, examples=20).epoch == 4
    assert best_epoch(history[2:], examples=1000).epoch == 3
    assert best_epoch([epoch(1, 1.0, 0.1), epoch(2, 1.0, 0.2)], examples=5).epoch == 2


def test_training_stops_when_nothing_gets_better():
    steady = Optimizer(name="sgd", learning_rate=1e-9, schedule="constant")
    _, history, clock = train(
        dataclasses.replace(PHASE, epochs=9, optimizer=steady, patience=2, batch_size=100)
    )
    assert len(history) < 9
    accuracies = [epoch.validation_accuracy for epoch in history]
    assert max(accuracies[:-2]) >= max(accuracies), "two epochs passed that were no better"
    assert clock.steps == len(history)


def test_training_that_diverges_is_stopped_and_says_so():
    data = make_points(prepare_train=lambda inputs, *places: inputs * 1e30)
    optimizer = Optimizer(name="sgd", learning_rate=1e30, schedule="constant")
    with pytest.raises(UserError, match="the loss of epoch 1 is not finite; lower"):
        train(dataclasses.replace(PHASE, optimizer=optimizer), data)


def test_a_rare_class_counts_as_much_as_a_common_one():
    weights = class_weights("balanced", [30, 10])
    assert weights == pytest.approx((2 / 3, 2.0))
    assert 30 * weights[0] == pytest.approx(10 * weights[1])
    assert class_weights("none", [30, 10]) == (1.0, 1.0)


@pytest.mark.slow
def test_class_weights_move_the_decision():
    noisy = make_points(train=make_examples(400, 5, flipped=0.3))
    fast = Optimizer(learning_rate=0.3)
    shares = []
    for weights in ((1.0, 1.0), (0.1, 10.0)):
        model, _, _ = train(
            dataclasses.replace(PHASE, epochs=2, optimizer=fast, class_weights=weights), noisy
        )
        shares.append(np.mean(model(noisy.validation.inputs).numpy().argmax(1) == 1))
    assert shares[1] > shares[0] + 0.2


@pytest.mark.slow
def test_label_smoothing_holds_confidence_back():
    phase = dataclasses.replace(PHASE, optimizer=Optimizer(learning_rate=0.5))
    plain, _, _ = train(phase)
    smooth, _, _ = train(dataclasses.replace(phase, label_smoothing=0.4))
    points = make_points().validation.inputs
    assert smooth(points).numpy().max(1).mean() < plain(points).numpy().max(1).mean() - 0.05


def test_the_clock_counts_what_was_trained(once):
    _, _, clock = once
    measured = clock.measurements()
    assert (clock.steps, clock.examples) == (28, 400)
    assert measured["examples_per_s"] == pytest.approx(400 / measured["training_s"])
    assert 0 <= measured["input_wait_share"] < 1


@pytest.mark.slow
def test_steps_taken_at_once_are_those_taken_one_by_one():
    """Bit by bit, and so for the sums; the pace that a machine finds changes nothing."""
    results = []
    for pace in (None, 1, 3, 8):
        make_deterministic(0)
        model, data = make_model(), make_points()
        trainer = Trainer(model, PHASE, steps_per_epoch=7)
        batches = trainer.fetch_ahead(
            training_batches(
                data.train, data.prepare_train, batch_size=16, seed=0, epochs=range(1, 3)
            )
        )
        sums: list[np.ndarray] = []
        while len(sums) < 14:
            if pace is None:
                sums.append(trainer.train(*next(batches)).numpy())
            else:
                trainer._pace = pace
                steps = trainer.take_steps(batches, 14 - len(sums))
                assert 0 <= steps.waiting_s and steps.count <= pace
                sums.extend(steps.sums.numpy())
        results.append([*model.get_weights(), np.stack(sums)])
    for result in results[1:]:
        for mine, theirs in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def make_float16_trainer() -> Trainer:
    make_deterministic(0)
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        features = keras.layers.Input((2,), name="features")
        hidden = keras.layers.Dense(8, activation="relu")(features)
        logits = keras.layers.Dense(2, name=HEAD, dtype="float32")(hidden)
    finally:
        keras.mixed_precision.set_global_policy(policy)
    probabilities = keras.layers.Softmax(dtype="float32")(logits)
    return Trainer(keras.Model(features, probabilities), PHASE, steps_per_epoch=7)


def test_float16_is_trained_with_a_scale_that_gives_way_to_overflow():
    trainer, examples = make_float16_trainer(), make_points().train
    optimizer, model = trainer.optimizer, trainer.model
    assert float(optimizer.loss_scale) == 2**15
    # The scale is part of what is kept of an interrupted training.
    values = read_variables(trainer.optimizer_variables)
    assert 2.0**15 in [value.item() for value in values if value.ndim == 0]

    before, scale = model.get_weights(), 2.0**15
    enormous = tf.fill(tf.shape(examples.inputs), 60000.0)  # float16 ends at 65504.
    trainer.train(enormous, examples.labels)
    for mine, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert float(optimizer.loss_scale) == scale / 2

    first = trainer.train(examples.inputs, examples.labels).numpy()
    for _ in range(30):
        last = trainer.train(examples.inputs, examples.labels).numpy()
    assert np.isfinite(last).all()
    assert last[0] < first[0] / 2


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0), (9, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 0)], "mixed_float16"),
    ],
)
def test_the_least_gpu_decides_the_precision(capabilities, policy):
    assert precision_for(capabilities) == policy
