"""A model for pictures that are prepared in another way says what it said of them before."""

import numpy as np
import pytest

from components.common.documents.bundle import HEAD, Architecture
from components.common.documents.image import InputSpec
from components.common.keras import keras
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.classifier import build_classifier
from components.common.tasks.image.models.graphs import adapt_input
from tests.builders.training import keep_examples, make_data, make_phase

OWN = InputSpec(height=16, width=16, channels=3, offset=(127.0, 120.0, 90.0), scale=(1 / 128,) * 3)
OTHER = InputSpec(
    height=16, width=16, channels=3, offset=(0.0, 1.0, 2.0), scale=(1.0, 0.5, 1 / 255)
)
PICTURES = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)


def residual():
    pixels = keras.layers.Input(OWN.shape, name="pixels")
    one = keras.layers.Conv2D(8, 3, padding="same", name="one")(pixels)
    two = keras.layers.Conv2D(8, 3, padding="same", name="two")(keras.layers.ReLU()(one))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([one, two]))
    logits = keras.layers.Dense(3, name=HEAD)(keras.layers.Dropout(0.2)(pooled))
    return keras.Model(pixels, keras.layers.Softmax()(logits))


@pytest.mark.parametrize(
    "build", [residual, lambda: build_classifier(Architecture(backbone="small_cnn"), OWN, 3)]
)
def test_a_model_for_other_pictures_answers_as_before(build):
    keras.utils.set_random_seed(1)
    model = build()
    before = model(prepare_inputs(OWN)(PICTURES, None))
    adapted = adapt_input(model, OWN, OTHER)
    np.testing.assert_allclose(
        adapted(prepare_inputs(OTHER)(PICTURES, None)), before, rtol=1e-3, atol=1e-5
    )
    assert np.ptp(before.numpy(), axis=0).max() > 1e-3
    assert not any(isinstance(layer, keras.Model) for layer in adapted.layers)


def test_a_model_of_the_same_pictures_is_the_same_model():
    model = residual()
    assert adapt_input(model, OWN, OWN.model_copy()) is model


@pytest.mark.slow
def test_an_adapted_model_can_teach():
    from components.common.training.config import Distillation
    from components.common.training.trainer import Trainer

    student = build_classifier(Architecture(backbone="small_cnn", width=0.25), OTHER, 3)
    phase = make_phase(
        name="distil",
        epochs=1,
        learning_rate=1e-3,
        class_weights=(1.0,) * 3,
        distillation=Distillation(),
        teacher=adapt_input(residual(), OWN, OTHER),
    )
    inputs = prepare_inputs(OTHER)(PICTURES, None).numpy()
    labels = np.arange(6) % 3
    examples = make_data(keep_examples(inputs, labels), keep_examples(inputs, labels)).train
    sums = Trainer(student, phase, steps_per_epoch=1).train(examples.inputs, examples.labels)
    assert np.isfinite(sums.numpy()).all() and sums.numpy()[2] == 6
