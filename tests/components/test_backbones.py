"""Every kind of backbone goes through every step, scheme and file step: none is only for one.

What differs between them: a plain chain (small_cnn); inverted residuals with depthwise kernels
(EfficientNet-Lite, here with a block a stage, and MobileNetV2); sums behind which BatchNorm stands
on its own (ResNet50V2).
"""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.data.predictions import read_bundle_predictions
from components.common.documents.bundle import Architecture, BackboneName, ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.drift.causes import describe_layers
from components.common.drift.tracing import trace_drift
from components.common.keras import keras, tf
from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.graph import read_graphs
from components.common.lite.litert import SIGNATURE, Classifier
from components.common.lite.packing import deflated_bytes
from components.common.lite.snapping import snap_weights
from components.common.lite.tflite import read_input
from components.common.models.bundles import load_bundle_model
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.export import (
    DEVICE_TYPE,
    explain_input,
    export_module,
    preparation,
)
from components.compress.channels.groups import find_groups
from components.compress.channels.selection import kept_count
from components.quantize.agreement import concordance
from components.quantize.backends import tflite_converter
from components.quantize.backends.litert_quantizer import quantize_file
from components.quantize.calibration import Calibration
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import Scheme
from tests.builders.backbones import Drawn, write_backbone
from tests.builders.bundles import read_split
from tests.builders.compression import Dense, accuracy

pytestmark = pytest.mark.slow

BUILT: Mapping[BackboneName, Mapping[str, Any]] = {
    "small_cnn": {"filters": 64},
    "efficientnet_lite0": {"depth": 0.25, "filters": 48},
    "mobilenet_v2": {"width": 0.35, "filters": 48},
    "resnet50_v2": {},
}
TOLD: Mapping[str, Mapping[str, Any]] = {"int8_selective": {"float_layers": ["^head$"]}}
GENTLY = {"optimizer": {"learning_rate": 1e-4}}
"""What a few steps of training on drawn weights bear."""
ZEROS = 0.2
"""A share that drawn weights, of which none is idle, do without."""
FREEZE: Mapping[str, str] = {
    "small_cnn": "^block1_",
    "efficientnet_lite0": "^(stem|block[0-8])_",
    "mobilenet_v2": "^(Conv1|expanded_conv|block_[1-9]_)",
    "resnet50_v2": "^conv[1-4]_",
}


@dataclasses.dataclass(frozen=True)
class Made:
    """A model, and a file of it under each scheme."""

    dense: Dense
    model: Any
    document: ModelBundle
    pictures: Any
    files: Mapping[str, bytes]


def grouped(names: Iterable[BackboneName]) -> list[Any]:
    """Returns parameters whose tests run in one process, where they share what is made."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]


@pytest.fixture(scope="module", params=grouped(BUILT))
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp(request.param)
    return write_backbone(folder, request.param, **BUILT[request.param])


@pytest.fixture(scope="module")
def dense(drawn: Drawn) -> Dense:
    return drawn.dense


@pytest.fixture(scope="module")
def made(drawn: Drawn) -> Made:
    dense, document = drawn.dense, ModelBundle.read(drawn.dense.bundle)
    manifest = DatasetManifest.read(dense.dataset)
    pictures, _, _ = read_split(dense.context, manifest, "train")
    files = convert(drawn.model, document.input, pictures)
    pictures, _, _ = read_split(dense.context, manifest, "validation")
    return Made(dense, drawn.model, document, pictures, files)


def convert(model: Any, spec: Any, pictures: Any) -> Mapping[str, bytes]:
    """Converts a model by each scheme as the product does, but exports it once for all."""
    exported, files = export_module(model, spec), dict[str, bytes]()
    material = Calibration(
        span_range(pictures[:12]), exported.serve.input_signature, device_type=DEVICE_TYPE
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(exported, folder, signatures={SIGNATURE: exported.serve})
        for kind, scheme in SCHEMES.items():

            def tell(tool: Any, scheme: Scheme = scheme) -> None:
                scheme.tell(tool, scheme.settings_in(TOLD.get(scheme.kind, {})), material)

            # What takes a float file takes the same one.
            files[kind] = (
                quantize_file(files["float32"], tell)
                if scheme.backend == "litert_quantizer"
                else tflite_converter.convert(Path(folder), tell)
            )
    return files


def answers(data: bytes, pictures: Any, folder: Path) -> Any:
    (folder / "model.tflite").write_bytes(data)
    classifier = Classifier(folder / "model.tflite")
    return np.stack([classifier.classify(picture) for picture in pictures])


def operators(data: bytes) -> Counter[str]:
    return Counter(operator.name for operator in read_graphs(data)[0].operators)


def test_a_file_answers_as_its_model_under_each_scheme(made: Made, tmp_path: Path) -> None:
    expected = read_bundle_predictions(made.dense.bundle, "validation").probabilities
    assert accuracy(made.dense.bundle) > 0.6
    convolutions = Counter(type(layer).__name__ for layer in made.model.layers)
    for kind, data in made.files.items():
        SCHEMES[kind].check(data)
        assert not SCHEMES[kind].is_integer or explain_input(read_input(data)) is None
        least = (
            0.55 if kind == "int4" else 0.8
        )  # Drawn weights have nothing to spare for 15 levels.
        assert concordance(answers(data, made.pictures, tmp_path), expected) > least, kind
        counts = operators(data)
        assert counts["CONV_2D"] == convolutions["Conv2D"], kind
        assert counts["DEPTHWISE_CONV_2D"] == convolutions["DepthwiseConv2D"], kind
    np.testing.assert_allclose(
        answers(made.files["float32"], made.pictures, tmp_path), expected, atol=1e-4
    )


def test_smaller_numbers_make_smaller_files(made: Made) -> None:
    for kind in made.files.keys() - {"float32", "int4"}:
        saved = (len(made.files["float32"]) - len(made.files[kind])) / made.document.parameters
        # Of 4 bytes a weight; but a graph of many narrow layers is itself a good part of its file.
        assert saved > 1, kind
    layers = keras.layers
    narrowed = sum(
        layer.kernel.numpy().size
        for layer in made.model.layers
        if isinstance(layer, layers.Dense)
        or (type(layer) is layers.Conv2D and layer.kernel_size == (1, 1))
    )
    assert len(made.files["int8_selective"]) - len(made.files["int4"]) > 0.3 * narrowed


def test_steps_on_the_file_pack_it_and_leave_its_answers(made: Made, tmp_path: Path) -> None:
    data = made.files["int8"]
    before = answers(data, made.pictures, tmp_path)
    shared = share_equal_parts(data)
    assert len(shared) < len(data)
    np.testing.assert_array_equal(answers(shared, made.pictures, tmp_path), before)
    snapped = snap_weights(data, made.pictures[:12], bits=6)
    assert operators(snapped) == operators(data)
    assert deflated_bytes(snapped) < 0.9 * deflated_bytes(data)
    assert concordance(answers(snapped, made.pictures, tmp_path), before) > 0.8


def test_each_convolution_of_an_int8_file_is_held_against_the_models(made: Made) -> None:
    steps = preparation(made.document.input)
    found = trace_drift(made.model, made.files["int8"], made.pictures[:4], preparation=steps)
    kernels = {layer.name for layer in made.model.layers if hasattr(layer, "kernel")}
    depthwise = {each.name for each in made.model.layers if hasattr(each, "depthwise_kernel")}
    assert kernels | depthwise <= {layer.layer for layer in describe_layers(found)}
    assert not found.folds_apart


def test_the_model_is_cut_pruned_where_it_is_trained_and_trained_for_int8(
    drawn: Drawn, tmp_path: Path
) -> None:
    dense = drawn.dense
    backbone = ModelBundle.read(dense.bundle).architecture.name
    prune = {
        "final_sparsity": ZEROS,
        "shares": "lamp",
        "freeze": (FREEZE[backbone],),
        "distillation": {},
        "epochs": 1,
        "end": 1.0,
        "frequency": 1,
        **GENTLY,
    }
    document = dense.compress(
        tmp_path / "bundle",
        ("channels", {"share": 0.5, "epochs": 0, "examples": 24}),
        ("prune", prune),
        ("qat", {"epochs": 1, "examples": 24, **GENTLY}),
    )
    assert isinstance(document.architecture, Architecture)
    kept = {
        group.producer: (kept_count(group.channels, 0.5), group.channels)
        for group in find_groups(drawn.model)
    }
    assert document.architecture.filters == {
        producer: left for producer, (left, channels) in kept.items() if left < channels
    }
    assert [epoch.phase for epoch in document.history] == ["prune", "qat"]
    pruned = [layer for layer in document.steps[1].sparsity if layer.pruned]
    model = load_bundle_model(tmp_path / "bundle")
    for layer in pruned:
        own = model.get_layer(layer.layer)
        assert isinstance(own, keras.layers.Conv2D)
        assert np.sum(own.kernel.numpy() == 0) == layer.zeros  # Which the last step keeps.
    share = sum(layer.zeros for layer in pruned) / sum(layer.parameters for layer in pruned)
    assert share == pytest.approx(ZEROS, abs=0.01)
    assert accuracy(tmp_path / "bundle") > accuracy(dense.bundle) - 0.2


@pytest.mark.parametrize("drawn", grouped(["mobilenet_v2", "resnet50_v2"]), indirect=True)
def test_another_one_learns_from_it(dense: Dense, tmp_path: Path) -> None:
    backbone = ModelBundle.read(dense.bundle).architecture.name
    width = {"width": 0.35} if backbone == "mobilenet_v2" else {}
    told = {"backbone": backbone, "weights": "none", "epochs": 1, "global_batch_size": 60}
    document = dense.compress(tmp_path / "student", ("distil", told | width))
    assert document.architecture.name == backbone
    assert [epoch.phase for epoch in document.history] == ["distil"]
    assert np.isfinite(document.history[0].loss)
