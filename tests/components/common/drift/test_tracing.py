"""Broken on purpose: each way to ruin an int8 file is seen, and the layer named."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from components.common.documents.image import InputSpec
from components.common.drift.causes import describe_layers, find_cause
from components.common.drift.tracing import INPUT, Trace, trace_drift
from components.common.keras import keras
from components.common.lite.graph import read_graphs
from components.common.lite.tflite import float_operators
from components.quantize.conversion import convert_model

SPEC = InputSpec(height=16, width=16, channels=1, offset=(127.0,), scale=(1 / 128,))
PREPARATION = (lambda x: x - np.float32(127), lambda x: x * np.float32(1 / 128))

Convert = Callable[..., bytes]


@pytest.fixture(scope="module")
def examples() -> Any:
    waves = np.random.default_rng(0).normal(size=(32, 16, 16, 1)).cumsum(1).cumsum(2)
    return span(np.clip(127 + 20 * waves, 0, 255).astype(np.uint8))


@pytest.fixture
def model() -> Any:
    return build_net()


@pytest.fixture(scope="module")
def int8(examples: Any) -> bytes:
    """The net as it is, in int8."""
    return convert_model(build_net(), SPEC, "int8", examples)


@pytest.fixture(scope="module")
def float32() -> bytes:
    return convert_model(build_net(), SPEC, "float32")


def build_net() -> Any:
    """Returns a net whose middle is linear, so that a channel there can be scaled and back."""
    layers = keras.layers
    keras.backend.reset_uids()
    keras.utils.set_random_seed(0)
    pixels = values = layers.Input(SPEC.shape, name="pixels")
    values = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="first")(values)
    values = layers.Conv2D(6, 1, use_bias=False, name="second")(values)
    values = layers.BatchNormalization(name="second_norm")(values)
    values = layers.Conv2D(12, 1, name="third")(values)
    values = layers.ReLU(6.0, name="third_relu")(values)
    values = layers.GlobalAveragePooling2D(name="pool")(values)
    values = layers.Softmax(name="probabilities")(layers.Dense(4, name="head")(values))
    return keras.Model(pixels, values, name="net")


def span(pictures: Any) -> Any:
    pictures[0, 0, 0], pictures[0, -1, -1] = 0, 255
    return pictures


def trace(model: Any, data: bytes, examples: Any) -> Trace:
    return trace_drift(model, data, examples, preparation=PREPARATION)


def test_a_sound_file_has_little_noise_at_every_layer(
    model: Any, int8: bytes, examples: Any
) -> None:
    found = trace(model, int8, examples)
    noise = {layer.layer: layer for layer in describe_layers(found)}
    assert list(noise) == [INPUT, "first", "second", "third", "pool", "head", "probabilities"]
    assert noise[INPUT].own_db == 60  # Whole numbers below 256 are exact.
    assert all(noise[name].own_db > 25 for name in ("first", "second", "third", "head"))
    assert all(layer.clipped < 0.001 for layer in noise.values())


@pytest.mark.slow
def test_a_float_file_agrees_to_its_last_layer(model: Any, float32: bytes, examples: Any) -> None:
    found = trace(model, float32, examples[:4])
    assert min(layer.drift_db for layer in describe_layers(found)) > 59
    assert find_cause(found).cause == "accumulation"


@pytest.mark.slow
def test_a_channel_that_is_blown_up_is_named_with_its_layer(model: Any, examples: Any) -> None:
    before = model.predict((examples - 127.0) / 128, verbose=0)
    gamma, beta, *moving = model.get_layer("second_norm").get_weights()
    kernel, bias = model.get_layer("third").get_weights()
    gamma[2] *= 1024
    beta[2] *= 1024
    kernel[:, :, 2] /= 1024
    model.get_layer("second_norm").set_weights([gamma, beta, *moving])
    model.get_layer("third").set_weights([kernel, bias])
    np.testing.assert_allclose(
        model.predict((examples - 127.0) / 128, verbose=0), before, atol=1e-5
    )
    traced = trace(model, convert_model(model, SPEC, "int8", examples), examples)
    behind = next(layer for layer in describe_layers(traced) if layer.layer == "pool")
    assert behind.drift_db < 3  # What it inherits; of its own it adds next to nothing.
    assert behind.own_db > 20
    found = find_cause(traced)
    assert (found.layer, found.cause) == ("second", "outliers")
    assert found.evidence[0].startswith("channel 2 reaches ")
    assert "5 of its 6 channels that vary are constant in the file" in found.evidence


@pytest.mark.slow  # Repair's tests see this cause.
def test_calibration_on_constant_pictures_saturates_the_first_layer(
    model: Any, examples: Any
) -> None:
    constant = span(np.full_like(examples[:4], 120))
    found = find_cause(trace(model, convert_model(model, SPEC, "int8", constant), examples))
    assert (found.layer, found.cause) == ("first", "saturation")
    assert "lie outside of 0 to " in found.evidence[0]


@pytest.mark.slow  # Repair's tests see this cause.
def test_steps_that_a_common_offset_makes_coarse_are_seen(model: Any, examples: Any) -> None:
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias + 5000])  # Softmax doesn't see it.
    found = find_cause(trace(model, convert_model(model, SPEC, "int8", examples), examples))
    assert (found.layer, found.cause) == ("head", "coarse_steps")


@pytest.mark.slow
def test_a_weight_far_above_the_others_of_its_channel_is_seen(model: Any, examples: Any) -> None:
    kernel, bias = model.get_layer("first").get_weights()
    # Where rows are equal in pairs, every output row sees both weights on the same value.
    kernel[0, 1], kernel[1, 1] = 400, -400
    model.get_layer("first").set_weights([kernel, bias])
    paired = np.repeat(examples[:, ::2], 2, axis=1)
    found = find_cause(trace(model, convert_model(model, SPEC, "int8", paired), paired))
    assert (found.layer, found.cause) == ("first", "weights")


@pytest.mark.slow
def test_other_weights_than_the_models_are_told_from_rounding(
    model: Any, float32: bytes, examples: Any
) -> None:
    kernel, bias = model.get_layer("third").get_weights()
    model.get_layer("third").set_weights([-kernel, bias])
    found = find_cause(trace(model, float32, examples[:4]))
    assert (found.layer, found.cause) == ("third", "other_weights")


def test_a_norm_that_is_computed_on_its_own_is_blamed(
    model: Any, int8: bytes, examples: Any
) -> None:
    whole = trace(model, int8, examples[:4])
    second = next(layer for layer in whole.layers if layer.label == "second")
    noisy = dataclasses.replace(second, own_errors=second.expected)
    apart = Trace(layers=(noisy,), folds_apart={"second_norm": "second"}, examples=4)
    found = find_cause(apart)
    assert (found.layer, found.cause) == ("second", "unfolded_norm")


@pytest.fixture
def residual() -> Any:
    """A net in which BatchNorm stands behind a sum, with nothing to fold it into."""
    layers = keras.layers
    keras.backend.reset_uids()
    keras.utils.set_random_seed(0)
    pixels = layers.Input(SPEC.shape, name="pixels")
    first = layers.Conv2D(8, 3, strides=2, padding="same", name="first")(pixels)
    second = layers.Conv2D(8, 1, name="second")(layers.ReLU(name="second_relu")(first))
    values = layers.Add(name="sum")([first, second])
    values = layers.BatchNormalization(name="sum_norm")(values)
    values = layers.ReLU(name="sum_relu")(values)
    values = layers.GlobalAveragePooling2D(name="pool")(values)
    values = layers.Softmax(name="probabilities")(layers.Dense(4, name="head")(values))
    model = keras.Model(pixels, values, name="net")
    random = np.random.default_rng(0)
    norm = model.get_layer("sum_norm")
    norm.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return model


@pytest.mark.slow
def test_half_of_a_norm_is_not_taken_for_all_of_it(residual: Any, examples: Any) -> None:
    found = trace(residual, convert_model(residual, SPEC, "float32"), examples[:4])
    assert min(layer.own_db for layer in describe_layers(found)) > 59
    assert [layer.layer for layer in found.layers][4:6] == ["sum", "sum_relu"]
    assert found.layers[5].group == ("sum_norm", "sum_relu")
    assert not found.folds_apart, "a sum has no kernel that could take it up"


@pytest.mark.slow
def test_a_norm_behind_a_sum_is_spared_whole(residual: Any, examples: Any) -> None:
    beta = residual.get_layer("sum_norm").beta
    beta.assign(beta + [500, *[0] * 7])
    kernel, bias = residual.get_layer("head").get_weights()
    residual.get_layer("head").set_weights([kernel * [[0], *[[1]] * 7], bias])
    found = find_cause(trace(residual, convert_model(residual, SPEC, "int8", examples), examples))
    assert (found.layer, found.cause) == ("sum_norm", "outliers")
    spared = {"float_layers": [f"^{name}$" for name in found.to_spare]}
    data = convert_model(residual, SPEC, "int8_selective", examples, settings=spared)
    made = {operator.name: operator.outputs[0].dtype for operator in read_graphs(data)[0].operators}
    assert (made["ADD"], made["MEAN"]) == ("float32", "float32")
    assert made["CONV_2D"] == "int8"
    assert "MUL" in float_operators(data), "the other half of the norm"


@pytest.mark.slow
def test_a_file_of_another_model_is_refused(float32: bytes, examples: Any) -> None:
    layers = keras.layers
    other = keras.Sequential(
        [layers.Input(SPEC.shape), layers.Flatten(name="f"), layers.Dense(4, name="g")]
    )
    functional = keras.Model(other.inputs, other.outputs)
    with pytest.raises(ValueError, match="no tensor of the file is named after a layer"):
        trace(functional, float32, examples[:1])
