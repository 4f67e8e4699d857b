"""Small text classifiers under each scheme, and what their files take and answer."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from components.common.documents.encoder import EncoderSpec, TextArchitecture
from components.common.documents.variant import StepSpec
from components.common.drift.causes import find_cause
from components.common.drift.tracing import trace_drift
from components.common.keras import keras
from components.common.lite.file_steps import apply_file_steps
from components.common.lite.graph import read_graphs
from components.common.lite.kernels import find_kernels
from components.common.lite.litert import Classifier
from components.common.lite.model_files import read_model_file
from components.common.lite.tflite import inspect_model
from components.common.tasks.text.models.classifier import build_classifier
from components.quantize.conversion import convert_model
from tests.builders.encoders import VOCABULARY, draw_tokens, text_spec
from tests.builders.text_models import build_small_classifier

LENGTH = 16
TOKENS = draw_tokens(32, length=LENGTH)


def convert(model: Any, kind: str, **settings: Any) -> bytes:
    return convert_model(model, text_spec(length=LENGTH), kind, TOKENS, settings=settings)


def answers(data: bytes, folder: Path) -> npt.NDArray[np.float32]:
    path = folder / "model.tflite"
    path.write_bytes(data)
    classifier = Classifier(path)
    return np.stack([classifier.classify(tokens) for tokens in TOKENS])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    keras.utils.set_random_seed(0)  # What tests before it drew must not matter.
    return build_small_classifier(
        "electra", tmp_path_factory.mktemp("encoder"), classes=3, length=LENGTH
    )


@pytest.fixture(scope="module")
def converted(model: Any) -> Callable[[str], bytes]:
    """The model's file under a scheme, made where no test has asked for it before."""
    return functools.cache(lambda kind: convert(model, kind))


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("float32", 1e-5),
        pytest.param("float16", 5e-3, marks=pytest.mark.slow),
        pytest.param("dynamic_range", 0.1, marks=pytest.mark.slow),
        pytest.param("int8", 0.5, marks=pytest.mark.slow),
    ],
)
def test_files_answer_as_their_model(
    kind: str, most: float, model: Any, converted: Callable[[str], bytes], tmp_path: Path
) -> None:
    data = converted(kind)
    expected = model(TOKENS).numpy()
    assert np.abs(answers(data, tmp_path) - expected).max() < most
    described = inspect_model(data)
    assert (described.input.dtype, described.input.shape) == ("int32", (1, LENGTH))
    assert not [name for name in described.operators if name.startswith(("FLEX", "CUSTOM"))]


def test_a_file_takes_three_tensors_with_the_names_of_mediapipe(
    converted: Callable[[str], bytes],
) -> None:
    graph = read_graphs(converted("float32"))[0]
    names = sorted(tensor.name for tensor in graph.inputs)
    assert [name.partition(":")[0].removeprefix("serving_default_") for name in names] == [
        "input_ids",
        "input_mask",
        "segment_ids",
    ]


@pytest.mark.slow
def test_an_encoder_without_segments_takes_three_tensors_too(tmp_path: Path) -> None:
    model = build_small_classifier("distilbert", tmp_path, classes=3, length=LENGTH)
    data = convert(model, "float32")
    assert len(read_graphs(data)[0].inputs) == 3
    np.testing.assert_allclose(answers(data, tmp_path), model(TOKENS).numpy(), atol=1e-5)


@pytest.mark.slow
def test_dynamic_range_keeps_the_table_of_tokens_in_bytes(
    converted: Callable[[str], bytes],
) -> None:
    tables = [
        tensor
        for tensor in read_graphs(converted("dynamic_range"))[0].tensors
        if tensor.shape == (len(VOCABULARY), 16)
    ]
    assert [table.dtype for table in tables] == ["int8"]


WIDE = EncoderSpec(embedding=40, hidden=40, layers=1, heads=4, intermediate=64, segments=2)
"""Its kernels have over 1,024 weights: dynamic range leaves smaller ones in float."""


class Texts:
    """What a step on a file may learn from."""

    def examples(self, count: int) -> npt.NDArray[np.int32]:
        return TOKENS[:count]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "dynamic_range"])
def test_kernels_are_snapped_to_what_packs_and_equal_parts_are_shared(
    kind: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = build_classifier(TextArchitecture(encoder=WIDE), text_spec(length=LENGTH), 3)
    data = convert(model, kind)
    steps = (StepSpec(kind="snap", settings={"bits": 4}), StepSpec(kind="share", settings={}))
    stepped, (snap, share) = apply_file_steps(data, steps, Texts())
    kernels = [each for each in find_kernels(read_model_file(stepped).tables) if not each.is_first]
    assert len(kernels) >= 5, "of attention, and of what follows it"
    assert all(len(np.unique(row)) <= 15 for each in kernels for row in each.codes)
    assert snap.zipped_after < 0.9 * snap.zipped_before
    assert share.bytes_after < share.bytes_before
    before, after = answers(data, tmp_path), answers(stepped, tmp_path)
    assert 0 < np.abs(after - before).max() < 0.1


@pytest.mark.slow
def test_norms_can_be_left_in_float(
    model: Any, converted: Callable[[str], bytes], tmp_path: Path
) -> None:
    whole = np.abs(answers(converted("int8"), tmp_path) - model(TOKENS).numpy()).mean()
    data = convert(model, "int8_selective", float_layers=["norm$"])
    selective = np.abs(answers(data, tmp_path) - model(TOKENS).numpy()).mean()
    assert selective < whole


@pytest.mark.slow
def test_what_int8_spoils_is_traced_to_a_layer(
    model: Any, converted: Callable[[str], bytes]
) -> None:
    trace = trace_drift(model, converted("int8"), TOKENS[:8], preparation=())
    compared = {layer.layer for layer in trace.layers}
    assert {"words", "layer0_value", "layer1_norm", "pool", "head"} <= compared
    assert max(layer.noise for layer in trace.layers) < 0.1
    finding = find_cause(trace)
    assert {finding.layer, *finding.to_spare} <= {layer.name for layer in model.layers}
