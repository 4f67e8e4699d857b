"""BatchNorm's statistics are those of the pictures, not those that a slow average began with."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from components.common.documents.bundle import HEAD
from components.common.keras import keras
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.storage import LocalStorage
from components.common.training.checkpoints import Checkpoints
from components.common.training.clock import Clock
from components.common.training.config import Optimizer
from components.common.training.examples import KeptExamples
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.norms import MeasuredNorms
from components.common.training.resumption import Attempt
from components.common.training.strategy import read_variables
from tests.builders.training import keep_examples, make_data, make_phase
from tests.fakes.termination import Deadline

PHASE = make_phase(name="fine_tune", epochs=3, learning_rate=0.03)


def make_model(momentum: float = 0.999, *, trainable: bool = True) -> keras.Model:
    layers = keras.layers
    pixels = features = layers.Input((6, 6, 1), name="pixels")
    for number in (1, 2):
        convolve = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"conv{number}")
        convolved = convolve(features)
        # As in ResNet50V2, a norm may stand behind a sum; InceptionV3's have no scale.
        features = convolved if number == 1 else layers.Add(name="sum")([features, convolved])
        norm = layers.BatchNormalization(momentum=momentum, scale=number == 1, name=f"norm{number}")
        norm.trainable = trainable
        features = layers.ReLU(name=f"relu{number}")(norm(features))
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    logits = layers.Dense(2, name=HEAD)(features)
    return keras.Model(pixels, layers.Softmax(name="probabilities")(logits))


def make_examples(count: int, seed: int) -> KeptExamples:
    """Pictures far from mean 0 and variance 1, with stripes across or along."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    stripes = 10.0 * (np.arange(6) % 2)
    pictures = np.where(labels[:, None, None] == 0, stripes[None, :, None], stripes[None, None, :])
    pictures = 40 + pictures + random.normal(size=pictures.shape)
    return keep_examples(pictures[..., None], labels)


def train(model: keras.Model, *, train_on: int = 96, attempt: Attempt | None = None, **changes):
    data = make_data(make_examples(train_on, 1), make_examples(40, 2))
    phase = dataclasses.replace(PHASE, **changes)
    clock = Clock(Events("test"), total_steps=100)
    return run_phase(model, phase, data, clock, attempt=attempt), data


def build() -> keras.Model:
    make_deterministic(0)
    return make_model()


@pytest.mark.slow
def test_a_slow_average_is_replaced_by_what_the_pictures_have():
    model = build()
    history, data = train(model, epochs=1)
    first = keras.Model(model.input, model.get_layer("conv1").output)
    seen = first(data.train.inputs).numpy().astype(np.float64)
    norm = model.get_layer("norm1")
    np.testing.assert_allclose(norm.moving_mean, seen.mean(axis=(0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, seen.var(axis=(0, 1, 2)), rtol=1e-3)


@pytest.mark.slow
def test_a_model_does_as_well_in_use_as_in_training_after_a_few_steps():
    history, _ = train(build())
    assert history[-1].accuracy > 0.95
    assert history[-1].validation_accuracy > 0.95


@pytest.mark.slow
def test_a_last_batch_of_one_picture_spoils_nothing():
    history, _ = train(build(), train_on=97)
    assert history[-1].validation_accuracy > 0.95


@pytest.mark.slow
def test_fewer_pictures_than_a_batch_are_enough():
    history, _ = train(build(), train_on=12, epochs=10)
    assert history[-1].validation_accuracy > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("momentum", "trainable"), [(0.9, True), (0.999, False)])
def test_a_layer_that_forgets_fast_or_is_frozen_keeps_its_own(momentum, trainable):
    make_deterministic(0)
    model = make_model(momentum, trainable=trainable)
    assert MeasuredNorms(model).layers == []
    norm = model.get_layer("norm1")
    train(model, epochs=1, optimizer=Optimizer(learning_rate=1e-6))
    # Six steps from 0 towards some hundred, or none.
    share = 1 - 0.9**6 if trainable else 0.0
    first = keras.Model(model.input, model.get_layer("conv1").output)
    mean = first(make_examples(96, 1).inputs).numpy().mean(axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, share * mean, rtol=0.02, atol=1e-6)


@pytest.mark.slow
def test_the_layers_are_left_as_they_were():
    model = build()
    norm = model.get_layer("norm2")
    before = norm.momentum, norm.fused
    train(model, epochs=1)
    assert (norm.momentum, norm.fused) == before


@pytest.mark.slow
@pytest.mark.parametrize("look", [6, 14])
def test_a_training_interrupted_while_it_measures_ends_as_an_undisturbed_one(tmp_path, look):
    """An epoch has 6 steps, 6 batches to measure and one to be judged by."""
    undisturbed = build()
    history, _ = train(undisturbed)
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    with pytest.raises(Terminated):
        train(build(), attempt=Attempt(checkpoints, termination=Deadline(look)))
    resumed = build()
    assert train(resumed, attempt=Attempt(checkpoints))[0] == history
    for mine, theirs in zip(resumed.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def train_mirrored() -> list[Any]:
    """Trains on the devices of the scope; returns the weights, statistics among them."""
    model = make_model()
    train(model, epochs=1)
    return [value.tolist() for value in read_variables(model.weights)]


@pytest.mark.slow
@pytest.mark.xdist_group("two_devices")
def test_two_devices_measure_as_one_does(on_two_devices):
    make_deterministic(0)
    for mine, theirs in zip(train_mirrored(), on_two_devices["test_norms"], strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-3, atol=1e-4)
