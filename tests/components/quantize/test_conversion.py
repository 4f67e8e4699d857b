"""What conversion refuses, and what it keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.documents.image import ImageSpec, InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import Classifier
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.lite.tflite import float_operators, inspect_model
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.metadata import describe_input
from components.quantize.conversion import convert_model
from components.quantize.schemes.scheme import ConversionError

GRAY = np.random.default_rng(0).integers(60, 188, (12, 8, 8, 1)).astype(np.uint8)
SPEC = InputSpec(height=8, width=8, channels=1, offset=(127.0,), scale=(1 / 128,))


def build_model(
    shape: tuple[int, int, int] = (8, 8, 1), middle: Callable[[Any], Any] = lambda x: x
) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input(shape)
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    features = keras.layers.Flatten()(middle(features))
    return keras.Model(image, keras.layers.Dense(3, activation="softmax")(features))


def test_int8_calibrated_on_a_narrow_range_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"uint8, scale 1, zero point 0.* scale 0\.73"):
        convert_model(build_model(), SPEC, "int8", GRAY)


@pytest.mark.slow
def test_an_operation_without_an_int8_kernel_is_refused_by_name() -> None:
    model = build_model(middle=tf.math.sin)
    with pytest.raises(ConversionError, match="no int8 kernel for SIN"):
        convert_model(model, SPEC, "int8", span_range(GRAY))
    assert float_operators(convert_model(model, SPEC, "float32"))


@pytest.mark.slow
def test_an_operation_that_tflite_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConversionError, match=r"refused the model: 'tf\.Erf' op"):
        convert_model(build_model(middle=tf.math.erf), SPEC, "float32")


@pytest.mark.slow
def test_each_channel_has_its_own_offset_and_scale(tmp_path: Path) -> None:
    model = build_model((8, 8, 3))
    offset, scale = np.array([10.0, 120.0, 240.0]), np.array([1 / 32, 1 / 64, 1 / 128])
    spec = InputSpec(height=8, width=8, channels=3, offset=tuple(offset), scale=tuple(scale))
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    expected = model(((picture - offset) * scale)[np.newaxis].astype(np.float32)).numpy()[0]
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_model(model, spec, "float32"))
    np.testing.assert_allclose(Classifier(path).classify(picture), expected, atol=1e-6)


@pytest.mark.slow
def test_a_model_that_takes_raw_pixels_gets_no_affine() -> None:
    spec = InputSpec(height=8, width=8, channels=1, offset=(0.0,), scale=(1.0,))
    operators = inspect_model(convert_model(build_model(), spec, "float32")).operators
    assert not {"SUB", "MUL"} & set(operators)


@pytest.mark.slow
def test_metadata_changes_no_weight_and_no_prediction(tmp_path: Path) -> None:
    bare = convert_model(build_model(), SPEC, "float32")
    image = ImageSpec(
        height=8, width=8, channels=1, encoding="png", fit="crop", background="#ffffff"
    )
    card = ModelCard(
        name="n", description="d", class_names=("a", "b", "c"), lineage={},
        inputs=describe_input(image),
    )  # fmt: skip
    told = attach_metadata(bare, card)
    volatile = {"size_bytes", "zipped_bytes", "xz_bytes", "zstd_bytes", "sha256"}
    assert inspect_model(told).model_dump(exclude=volatile) == inspect_model(bare).model_dump(
        exclude=volatile
    )
    answers = []
    for name, data in (("bare", bare), ("told", told)):
        path = tmp_path / name
        path.write_bytes(data)
        answers.append(Classifier(path).classify(GRAY[0]))
    np.testing.assert_array_equal(*answers)
