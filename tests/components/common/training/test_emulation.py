"""A model that rounds answers as its int8 file does, and is trained like any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.documents.bundle import HEAD, Architecture
from components.common.errors import UserError
from components.common.keras import keras
from components.common.lite.litert import Classifier
from components.common.models.bundles import load_bundle_model
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.storage import LocalStorage
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.models.classifier import build_classifier
from components.common.training.checkpoints import Checkpoints
from components.common.training.clock import Clock
from components.common.training.emulation import (
    Emulation,
    emulate_int8,
    kept_in_int8,
    measure_ranges,
)
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.resumption import Attempt
from components.quantize.conversion import convert_model
from tests.builders.bundles import input_spec, normalize, read_split, unbalance
from tests.builders.training import keep_examples, make_data, make_phase
from tests.components.conftest import TrainedModel
from tests.fakes.termination import Deadline


def emulate(model: Any, pictures: Any) -> Emulation:
    return emulate_int8(model, measure_ranges(model, [normalize(pictures)]))


@pytest.mark.slow
def test_it_errs_where_the_int8_file_errs(trained: TrainedModel, tmp_path: Path) -> None:
    model = load_bundle_model(trained.dense)
    unbalance(model, 200)
    pictures, _, _ = read_split(trained.context, trained.manifest, "train")
    shown, _, _ = read_split(trained.context, trained.manifest, "validation")
    pictures = span_range(pictures[:60])
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_model(model, trained.bundle("dense").input, "int8", pictures))
    classifier = Classifier(path)
    file = np.stack([classifier.classify(picture) for picture in shown])
    exact = model.predict(normalize(shown), verbose=0)
    rounding = emulate(model, pictures).model.predict(normalize(shown), verbose=0)
    error = np.abs(file - exact).mean()
    assert error > 0.02
    assert np.abs(file - rounding).mean() < 0.25 * error


def test_what_is_fused_is_kept_once() -> None:
    model = build_classifier(Architecture(backbone="small_cnn"), input_spec(16, 16, 1), 3)
    assert kept_in_int8(model) == ("block1_relu", "block2_relu", "block3_relu", "pool", HEAD)


def test_each_channel_of_a_depthwise_kernel_has_steps_of_its_own() -> None:
    pixels = keras.layers.Input((3, 3, 2))
    features = keras.layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(pixels)
    model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(features))
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 1)).astype(np.float32)
    kernel[:, :, 1] *= 1000
    model.get_layer("depthwise").set_weights([kernel])
    ranges = {"depthwise": (-4e6, 4e6), "global_average_pooling2d": (-4e6, 4e6)}
    assert {*ranges} == {*kept_in_int8(model)}
    rounding = emulate_int8(model, {}).model  # The kernel alone is rounded.
    top = np.abs(kernel).max(axis=(0, 1), keepdims=True)
    rounded = np.round(kernel * 127 / top) * top / 127
    picture = np.random.default_rng(1).normal(size=(1, 3, 3, 2)).astype(np.float32)
    expected = (picture[0, :, :, :, None] * rounded).sum(axis=(0, 1))[:, 0]
    np.testing.assert_allclose(rounding(picture).numpy()[0], expected, rtol=1e-4)


def test_a_layer_that_can_not_be_emulated_is_named() -> None:
    features = keras.layers.Input((4,))
    model = keras.Model(features, keras.layers.LayerNormalization(name="norm")(features))
    with pytest.raises(UserError, match="norm is a layer LayerNormalization"):
        kept_in_int8(model)


def train(attempt: Attempt | None = None) -> list[Any]:
    """Trains a model that has zeros and dropout; returns its weights."""
    make_deterministic(0)
    architecture = Architecture(backbone="small_cnn", width=0.25, dropout=0.3)
    model = build_classifier(architecture, input_spec(8, 8, 1), 3)
    (kernel,) = model.get_layer("block2_conv").get_weights()
    kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
    model.get_layer("block2_conv").set_weights([kernel])
    random = np.random.default_rng(0)
    inputs = random.uniform(-1, 1, (48, 8, 8, 1)).astype(np.float32)
    examples = keep_examples(inputs, random.integers(0, 3, 48))
    emulation = emulate_int8(model, measure_ranges(model, [inputs]))
    phase = make_phase(name="qat", epochs=3, learning_rate=0.01, class_weights=(1.0,) * 3)
    clock = Clock(Events("compress"), total_steps=9)
    run_phase(emulation.model, phase, make_data(examples, examples), clock, attempt=attempt)
    emulation.write_back()
    before = build_classifier(architecture, input_spec(8, 8, 1), 3)
    for layer in before.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for own, other in zip(
                layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_array_equal(own, other)
    (after,) = model.get_layer("block2_conv").get_weights()
    assert not np.array_equal(after, kernel)
    np.testing.assert_array_equal(after == 0, kernel == 0)
    return list(model.get_weights())


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train()
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    with pytest.raises(Terminated):
        train(Attempt(checkpoints, termination=Deadline(4)))
    for own, other in zip(train(Attempt(checkpoints)), whole, strict=True):
        np.testing.assert_array_equal(own, other)
