"""What schemes promise that go through the LiteRT quantizer, and int16x8."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.common.documents.image import InputSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.common.lite.litert import Classifier
from components.common.lite.tflite import inspect_model
from components.quantize.conversion import convert_model
from components.quantize.schemes.scheme import ConversionError

SPEC = InputSpec(height=8, width=8, channels=3, offset=(127.5,) * 3, scale=(1 / 127.5,) * 3)
RANDOM = np.random.default_rng(0)
PICTURES = np.clip(
    RANDOM.integers(0, 256, (24, 1, 1, 3)) + RANDOM.integers(-60, 61, (24, 8, 8, 3)), 0, 255
).astype(np.uint8)
"""Each of a tint of its own."""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A net with a 3x3, a depthwise and a 1x1 convolution, and a dense layer."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    features = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    features = layers.BatchNormalization(name="stem_norm")(features)
    features = layers.ReLU(6.0, name="stem_relu")(features)
    features = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(features)
    features = layers.Conv2D(32, 1, name="expand")(features)
    features = layers.ReLU(6.0, name="expand_relu")(features)
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    spread = keras.initializers.RandomNormal(stddev=3.0, seed=0)
    logits = layers.Dense(4, name="head", kernel_initializer=spread)(features)
    return keras.Model(image, layers.Softmax(name="probabilities")(logits), name="net")


def tensor_types(data: bytes) -> dict[str, set[str]]:
    """Returns by operator the types of its weights, as the file keeps them."""
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    (graph,) = file.subgraphs
    types = {code: name for name, code in vars(schema.TensorType).items()}
    operations = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    made = {operator.outputs[0]: operator for operator in graph.operators}
    found: dict[str, set[str]] = {}
    for operator in graph.operators:
        name = operations[file.operatorCodes[operator.opcodeIndex].builtinCode]
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        kernel = operator.inputs[1]
        if kernel in made:  # What is widened first.
            kernel = made[kernel].inputs[0]
        tensor = graph.tensors[kernel]
        height = tensor.shape[1] if name == "CONV_2D" else ""
        found.setdefault(f"{name}{height}", set()).add(types[tensor.type])
    return found


def convert(model: keras.Model, kind: str, settings: Mapping[str, Any] | None = None) -> bytes:
    return convert_model(model, SPEC, kind, PICTURES, settings=settings)


WEIGHTS = {
    "int8_weights": ("INT8", "INT8", "INT8", "INT8"),
    "int4": ("INT8", "INT8", "INT4", "INT4"),
    "int16x8": ("INT8", "INT8", "INT8", "INT8"),
}
"""Of the 3x3, the depthwise and the 1x1 convolution, and of the dense layer."""


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "int4" else pytest.param(kind, marks=pytest.mark.slow) for kind in WEIGHTS],
)
def test_weights_are_kept_as_promised_and_answers_stay(
    kind: str, model: keras.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = convert(model, kind)
    operators = ("CONV_2D3", "DEPTHWISE_CONV_2D", "CONV_2D1", "FULLY_CONNECTED")
    assert tensor_types(data) == dict(
        zip(operators, [{name} for name in WEIGHTS[kind]], strict=True)
    )
    found = inspect_model(data)
    assert (found.input.dtype, found.output.dtype) == ("float32", "float32")
    assert capfd.readouterr().out == ""
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    classifier = Classifier(path)
    own = np.stack([classifier.classify(picture) for picture in PICTURES])
    expected = model((PICTURES - np.array(SPEC.offset)) * np.array(SPEC.scale)).numpy()
    assert expected.std(axis=0).max() > 0.05
    np.testing.assert_allclose(own, expected, atol=0.15 if kind == "int4" else 0.02)


@pytest.mark.parametrize(
    ("pattern", "floating"),
    [
        pytest.param("^stem$", "CONV_2D3", marks=pytest.mark.slow),
        pytest.param("stem_relu", "CONV_2D3", marks=pytest.mark.slow),
        pytest.param("^head$", "FULLY_CONNECTED", marks=pytest.mark.slow),
    ],
)
def test_named_layers_stay_in_float32_and_the_others_do_not(
    pattern: str, floating: str, model: keras.Model
) -> None:
    types = tensor_types(convert(model, "int8_selective", {"float_layers": [pattern]}))
    assert {name for name, kept in types.items() if kept == {"FLOAT32"}} == {floating}
    assert all(kept == {"INT8"} for name, kept in types.items() if name != floating)


@pytest.mark.slow
def test_a_pattern_that_names_no_layer_is_refused_with_the_names(model: keras.Model) -> None:
    with pytest.raises(UserError, match=r"float_layers: block names no layer.* stem, depthwise"):
        convert(model, "int8_selective", {"float_layers": ["stem", "block"]})


@pytest.mark.slow
def test_ranges_are_those_of_all_examples_in_whatever_order(model: keras.Model) -> None:
    pale = PICTURES // 8 + 112
    pale[0] = PICTURES[0]
    settings = {"float_layers": ["^head$"]}
    first, last = (
        convert_model(model, SPEC, "int8_selective", pictures, settings=settings)
        for pictures in (pale, pale[::-1])
    )
    assert first == last


@pytest.mark.slow
def test_a_model_without_dense_layers_and_1x1_convolutions_has_no_int4() -> None:
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Softmax()(pooled))
    with pytest.raises(ConversionError, match="no dense layer and no 1x1 convolution"):
        convert(model, "int4")
