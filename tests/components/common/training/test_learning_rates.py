"""Layers of one model that learn at different rates."""

from typing import Any

import numpy as np
import pytest

from components.common.keras import keras
from components.common.training.config import Optimizer
from components.common.training.trainer import Trainer
from tests.builders.training import make_phase


def small_model() -> Any:
    layers = keras.layers
    inputs = layers.Input((3,))
    hidden = layers.Dense(4, name="body", kernel_initializer=keras.initializers.HeNormal(1))(inputs)
    logits = layers.Dense(2, name="head", kernel_initializer=keras.initializers.HeNormal(2))(hidden)
    return keras.Model(inputs, layers.Softmax()(logits))


def changes(rates: dict[str, float], **optimizer: Any) -> dict[str, Any]:
    """Returns layer -> how a step changed its kernel."""
    model = small_model()
    before = {name: model.get_layer(name).kernel.numpy() for name in ("body", "head")}
    phase = make_phase(name="test", epochs=1, learning_rate=1.0, rates=rates)
    told = Optimizer(schedule="constant", learning_rate=0.01, **optimizer)
    phase = type(phase)(**{**vars(phase), "optimizer": told})
    trainer = Trainer(model, phase, steps_per_epoch=4)
    inputs = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    trainer.train(inputs, np.arange(16) % 2)
    return {name: model.get_layer(name).kernel.numpy() - before[name] for name in before}


@pytest.mark.parametrize(
    "name",
    [
        "sgd",
        pytest.param("adam", marks=pytest.mark.slow),
        pytest.param("adamw", marks=pytest.mark.slow),
    ],
)
def test_a_layer_takes_its_share_of_a_step(name: str) -> None:
    whole, shared = changes({}, name=name), changes({"body": 0.25}, name=name)
    assert np.abs(whole["body"]).max() > 1e-4
    np.testing.assert_allclose(shared["body"], 0.25 * whole["body"], rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(shared["head"], whole["head"])
