from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from components.common.keras import keras, tf
from components.common.process.events import Events
from components.common.tasks.text.config import Lora
from components.common.tasks.text.models.lora import LowRankDense, adapt, merge
from components.common.training.clock import Clock
from components.common.training.examples import KeptExamples
from components.common.training.loop import make_deterministic, run_phase
from tests.builders.encoders import draw_tokens
from tests.builders.text_models import build_small_classifier
from tests.builders.training import make_data, make_phase


def taught(tokens: npt.NDArray[np.int32]) -> KeptExamples:
    """Returns texts with whether their first token's id is even for a label."""
    return KeptExamples(
        inputs=tf.constant(tokens), labels=tf.constant(tokens[:, 0, 0] % 2, tf.int64)
    )


def train(model: Any, tokens: npt.NDArray[np.int32], *, epochs: int) -> float:
    examples = taught(tokens)
    phase = make_phase(name="lora", epochs=epochs, learning_rate=1e-2)
    clock = Clock(Events("test"), total_steps=epochs * 4)
    history = run_phase(model, phase, make_data(examples, examples), clock)
    return history[-1].validation_accuracy


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A classifier; which weights it has does not matter."""
    make_deterministic(0)
    folder = tmp_path_factory.mktemp("encoder")
    return build_small_classifier("bert", folder, classes=2, length=12)


def test_adapters_begin_as_the_model_was(model: Any) -> None:
    tokens = draw_tokens(8, length=12)
    before = model(tokens).numpy()
    np.testing.assert_allclose(adapt(model, Lora(), seed=0)(tokens).numpy(), before, atol=1e-6)


@pytest.mark.slow
def test_learning_leaves_the_kernels_and_the_merged_model_answers_as_the_adapted_one(
    model: Any,
) -> None:
    tokens = draw_tokens(64, length=12)
    before = model(tokens).numpy()
    adapted = adapt(model, Lora(projections=("query", "value", "narrow")), seed=0)
    kernels = {
        layer.name: layer.kernel.numpy()
        for layer in adapted.layers
        if isinstance(layer, LowRankDense)
    }
    accuracy = train(adapted, tokens, epochs=12)
    for name, kernel in kernels.items():
        np.testing.assert_array_equal(adapted.get_layer(name).kernel.numpy(), kernel)
    merge(adapted, model)
    np.testing.assert_allclose(model(tokens).numpy(), adapted(tokens).numpy(), rtol=0, atol=1e-5)
    assert np.abs(model(tokens).numpy() - before).max() > 0.1
    assert accuracy > 0.75


def test_nothing_but_adapters_and_head_can_learn(model: Any) -> None:
    adapted = adapt(model, Lora(rank=2), seed=0)
    names = {variable.name for variable in adapted.trainable_variables}
    expected = {
        f"layer{number}_{part}/{weight}:0"
        for number in range(2)
        for part in ("query", "value")
        for weight in ("down", "up")
    }
    assert names == {*expected, "head/kernel:0", "head/bias:0"}


def test_no_layer_of_the_merged_model_is_left_frozen(model: Any) -> None:
    for layer in model.layers:
        layer.trainable = False
    merge(adapt(model, Lora(), seed=0), model)
    assert all(layer.trainable for layer in model.layers)


def test_alpha_says_how_much_what_is_learned_counts(model: Any) -> None:
    adapted = adapt(model, Lora(rank=4, alpha=2.0, projections=("key",)), seed=0)
    layer = adapted.get_layer("layer0_key")
    layer.up.assign(np.ones(layer.up.shape, np.float32))
    merge(adapted, model)
    learned = model.get_layer("layer0_key").kernel.numpy() - layer.kernel.numpy()
    expected = 0.5 * layer.down.numpy().sum(axis=1, keepdims=True)
    np.testing.assert_allclose(learned, np.broadcast_to(expected, learned.shape), atol=1e-6)


@pytest.mark.slow
def test_a_seed_decides_what_adapters_begin_with(model: Any) -> None:
    adapted = [adapt(model, Lora(), seed=seed) for seed in (0, 0, 1)]
    downs = [each.get_layer("layer1_value").down.numpy() for each in adapted]
    np.testing.assert_array_equal(downs[0], downs[1])
    assert not np.array_equal(downs[0], downs[2])
    first, second = (
        adapted[0].get_layer(name).down.numpy() for name in ("layer0_value", "layer1_value")
    )
    assert not np.array_equal(first, second)


def test_the_head_is_that_of_the_model(model: Any) -> None:
    assert adapt(model, Lora(), seed=0).get_layer("head") is model.get_layer("head")
    assert isinstance(model.get_layer("layer0_query"), keras.layers.Dense)
