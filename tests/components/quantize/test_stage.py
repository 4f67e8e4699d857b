"""The quantize stage, on a data set that lacks black and white."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl

from components.common.data.predictions import read_bundle_predictions
from components.common.digests import file_digest, tree_digest
from components.common.documents.candidate import Candidate
from components.common.documents.evaluation import Evaluation
from components.common.documents.record import Record
from components.common.keras import keras, tf
from components.common.lite.file_steps import FILE_STEPS
from components.common.lite.file_steps.file_step import Material
from components.common.lite.file_steps.share import Settings
from components.common.lite.kernels import find_kernels
from components.common.lite.litert import Classifier
from components.common.lite.model_files import ModelFileError, read_model_file
from components.common.lite.snapping import snap_weights
from components.common.models.bundles import save_weights
from components.common.process.events import Events
from components.common.tasks.calibration import read_calibration
from components.common.tasks.image.models.backbones import BACKBONES, Backbone
from components.common.tasks.image.models.classifier import build_classifier
from components.evaluate import stage as evaluate
from components.evaluate.config import EvaluateConfig
from components.quantize import stage
from components.quantize.backends import BACKENDS
from components.quantize.config import QuantizeConfig
from components.quantize.conversion import convert_model
from tests.builders.bundles import ARCHITECTURE, read_split, store_models
from tests.builders.synthetic import run_context
from tests.components.conftest import CALIBRATION_EXAMPLES, QUANTIZATION, TrainedModel

CONFIG = QUANTIZATION
SHARING = QuantizeConfig.model_validate(
    {"calibration_examples": CALIBRATION_EXAMPLES, "file_steps": ("share",)}
).with_candidates(("dense",))


def quantize(trained: TrainedModel, id_: str, output: Path, **changes: Path) -> Candidate:
    """Runs the stage with a store of its own and returns the candidate."""
    context = trained.context.model_copy(update={"run_id": output.name})
    arguments = {"dataset": trained.dataset, "models": trained.models}
    stage.run(
        **arguments | changes,
        candidate_id=id_,
        config=CONFIG.to_json(),
        context=context.to_json(),
        candidate=output,
    )
    return Candidate.read(output)


@pytest.mark.parametrize(
    "id_", ["float32", "float16", "dynamic_range", "int8", "pruned-float32", "pruned-int8"]
)
def test_raw_bytes_are_predicted_as_keras_predicts(
    id_: str, trained: TrainedModel, candidates: dict[str, Path]
) -> None:
    pictures, _, ids = read_split(trained.context, trained.manifest, "test")
    source = trained.pruned if id_.startswith("pruned") else trained.dense
    keras_predictions = read_bundle_predictions(source, "test")
    np.testing.assert_array_equal(ids, keras_predictions.ids)
    assert pictures.min() >= 60
    assert pictures.max() <= 187
    classifier = Classifier(candidates[id_] / "model.tflite")
    own = np.stack([classifier.classify(picture) for picture in pictures])
    same = own.argmax(axis=1) == keras_predictions.probabilities.argmax(axis=1)
    assert same.mean() >= 0.99


@pytest.mark.parametrize("id_", ["pruned-float32", "pruned-int8"])
def test_sparsity_in_the_file_is_what_was_pruned(
    id_: str, trained: TrainedModel, candidates: dict[str, Path]
) -> None:
    model = Candidate.read(candidates[id_]).model
    assert model is not None
    counted = {tensor.elements: tensor.zeros for tensor in model.sparsity}
    pruned = [layer for layer in trained.bundle("pruned").steps[0].sparsity if layer.pruned]
    assert len(pruned) == 2
    for layer in pruned:
        assert counted[layer.parameters] == layer.zeros == layer.parameters // 2


def test_compression_shows_in_the_sizes(candidates: dict[str, Path]) -> None:
    models = {id_: Candidate.read(folder).model for id_, folder in candidates.items()}
    sizes = {id_: model.size_bytes for id_, model in models.items() if model}
    zipped = {id_: model.zipped_bytes for id_, model in models.items() if model}
    assert sizes["float32"] > sizes["float16"] > sizes["int8"]
    assert abs(sizes["pruned-int8"] - sizes["int8"]) < 64, "zeros are stored like any value"
    assert zipped["pruned-int8"] < 0.9 * zipped["int8"]
    for id_, folder in candidates.items():
        path = folder / "model.tflite"
        assert models[id_].sha256 == file_digest(path)
        assert sizes[id_] == path.stat().st_size


def test_int8_takes_pixels_as_they_are_and_gives_quantized_probabilities(
    candidates: dict[str, Path],
) -> None:
    model = Candidate.read(candidates["int8"]).model
    assert model is not None
    assert (model.input.dtype, model.input.scale, model.input.zero_point) == ("uint8", 1.0, 0)
    assert (model.output.dtype, model.output.scale, model.output.zero_point) == (
        "uint8", 1 / 256, 0,
    )  # fmt: skip


@pytest.mark.slow
def test_a_model_that_int8_cannot_express_is_a_failed_candidate(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sine = Backbone(lambda pixels, width, depth: tf.math.sin(keras.layers.Conv2D(2, 3)(pixels)))
    monkeypatch.setitem(BACKBONES, "small_cnn", sine)
    bundle = shutil.copytree(trained.dense, tmp_path / "sine")
    save_weights(build_classifier(ARCHITECTURE, trained.bundle("dense").input, 3), bundle)
    models = store_models(trained.context, tmp_path / "models", {"dense": bundle})
    candidate = quantize(trained, "int8", tmp_path / "int8", models=models)
    assert candidate.model is None
    assert candidate.failure == ("the model is not full-integer: TFLite has no int8 kernel for SIN")
    assert [path.name for path in (tmp_path / "int8").iterdir()] == ["candidate.json"]


@pytest.mark.slow
def test_a_file_that_runs_and_answers_garbage_is_a_failed_candidate(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained = build_classifier(ARCHITECTURE, trained.bundle("dense").input, 3)
    garbage = convert_model(untrained, trained.bundle("dense").input, "float32")
    monkeypatch.setitem(BACKENDS, "litert_quantizer", lambda saved_model, tell: garbage)
    config = QuantizeConfig(schemes=("int8_weights",)).with_candidates(("dense",))
    context = trained.context.model_copy(update={"run_id": "garbage"})
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate_id="int8_weights",
        config=config.to_json(),
        context=context.to_json(),
        candidate=tmp_path / "garbage",
    )
    candidate = Candidate.read(tmp_path / "garbage")
    assert candidate.model is None
    assert "its answers have nothing to do with the model's" in str(candidate.failure)
    assert not (tmp_path / "garbage/model.tflite").exists()


def test_each_depends_on_its_own_bundle_and_on_how_pictures_are_fitted(
    candidates: dict[str, Path], trained: TrainedModel
) -> None:
    lineages = {id_: Candidate.read(folder).lineage for id_, folder in candidates.items()}
    assert set(lineages["float16"].inputs) == {"bundle", "dataset"}
    assert lineages["float16"].inputs["dataset"] == lineages["int8"].inputs["dataset"]
    assert lineages["int8"].inputs["bundle"] == lineages["float32"].inputs["bundle"]
    assert lineages["int8"].inputs["bundle"] != lineages["pruned-int8"].inputs["bundle"]


def test_a_candidate_in_the_store_needs_no_bundle(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    context = trained.context.model_copy(update={"run_id": "without bundles"})
    store = Path(trained.context.data_root, "store")
    kept = [(store / name, tmp_path / name) for name in ("finetune", "compress")]
    for here, away in kept:
        here.rename(away)
    try:
        stage.run(
            dataset=trained.dataset,
            models=trained.models,
            candidate_id="pruned-int8",
            config=CONFIG.to_json(),
            context=context.to_json(),
            candidate=tmp_path / "candidate",
        )
    finally:
        for here, away in kept:
            away.rename(here)
    assert tree_digest(tmp_path / "candidate") == tree_digest(candidates["pruned-int8"])


def test_one_bundle_is_fetched_once_for_converting_and_evaluating(
    trained: TrainedModel, tmp_path: Path
) -> None:
    context = run_context(tmp_path)
    shutil.copytree(Path(trained.context.data_root, "shards"), tmp_path / "data/shards")
    bundles = {"dense": trained.dense, "pruned": trained.pruned}
    given = {
        "dataset": trained.dataset,
        "models": store_models(context, tmp_path / "models", bundles),
        "candidate_id": "pruned-float32",
        "context": context.to_json(),
        "scratch": tmp_path / "scratch",
        "candidate": tmp_path / "candidate",
    }
    stage.run(config=CONFIG.to_json(), **given)
    (fetched,) = (tmp_path / "scratch").iterdir()
    assert tree_digest(fetched) == tree_digest(trained.pruned)
    for name in ("finetune", "compress"):
        shutil.rmtree(tmp_path / "data/store" / name)
    evaluate.run(
        config=EvaluateConfig(bootstrap_resamples=100).to_json(),
        evaluation=tmp_path / "evaluation",
        metrics=dsl.Metrics(name="metrics", uri="metrics", metadata={}),
        confusion=dsl.ClassificationMetrics(name="confusion", uri="confusion", metadata={}),
        **given,
    )
    assert Evaluation.read(tmp_path / "evaluation").failure is None


def test_another_scheme_in_the_recipe_leaves_a_candidate_in_the_store(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    config = QuantizeConfig(schemes=("float16",), calibration_examples=CALIBRATION_EXAMPLES)
    config = config.with_candidates(("dense",))
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate_id="float16",
        config=config.to_json(),
        context=trained.context.to_json(),
        candidate=tmp_path / "float16",
    )
    task = trained.context.data().read("runs/test/tasks/quantize[float16].json")
    assert json.loads(task)["status"] == "cached"
    assert file_digest(tmp_path / "float16/model.tflite") == file_digest(
        candidates["float16"] / "model.tflite"
    )


@pytest.mark.slow
def test_a_step_on_the_file_is_done_recorded_and_told(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate_id="int8",
        config=SHARING.to_json(),
        context=trained.context.to_json(),
        candidate=tmp_path / "shared",
    )
    candidate = Candidate.read(tmp_path / "shared")
    (step,) = candidate.file_steps
    assert candidate.model is not None
    assert step.kind == "share"
    assert step.bytes_before > step.bytes_after == candidate.model.size_bytes
    path = tmp_path / "shared/model.tflite"
    assert candidate.model.sha256 == file_digest(path)
    saved = 100 * (1 - step.bytes_after / step.bytes_before)
    assert candidate.words == (
        "int8 weights and activations; equal vectors written once "
        f"({saved:.1f} % smaller before zipping)"
    )
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("lineage.json"))["file_steps"] == ["share"]
    pictures, _, _ = read_split(trained.context, trained.manifest, "test")
    before, after = Classifier(candidates["int8"] / "model.tflite"), Classifier(path)
    for picture in pictures[:20]:
        assert after.classify(picture).tobytes() == before.classify(picture).tobytes()


def test_a_step_learns_from_the_training_split(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    snapping = CONFIG.model_validate(
        {"calibration_examples": CALIBRATION_EXAMPLES, "file_steps": ({"snap": {"bits": 5}},)}
    )
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate_id="int8",
        config=snapping.with_candidates(("dense",)).to_json(),
        context=trained.context.to_json(),
        candidate=tmp_path / "snapped",
    )
    candidate = Candidate.read(tmp_path / "snapped")
    assert candidate.failure is None
    (step,) = candidate.file_steps
    before = (candidates["int8"] / "model.tflite").read_bytes()
    assert step.zipped_after < 0.85 * step.zipped_before
    saved = 100 * (1 - step.zipped_after / step.zipped_before)
    assert candidate.words == (
        f"int8 weights and activations; weights snapped to 5 bits ({saved:.1f} % smaller zipped)"
    )
    path = tmp_path / "snapped/model.tflite"
    with zipfile.ZipFile(path) as archive:
        lineage = json.loads(archive.read("lineage.json"))
    assert lineage["file_steps"] == [{"snap": {"bits": 5, "examples": 100}}]
    examples = read_calibration(
        trained.manifest, trained.context.data(), count=100, events=Events("test")
    )
    assert codes_of(path.read_bytes()) == codes_of(snap_weights(before, examples, bits=5))


def codes_of(data: bytes) -> list[list[int]]:
    return [kernel.codes.ravel().tolist() for kernel in find_kernels(read_model_file(data).tables)]


@pytest.mark.slow
def test_a_step_that_cannot_work_on_a_file_is_a_failed_candidate(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(data: bytes, settings: Settings, material: Material) -> bytes:
        raise ModelFileError("the model keeps weights outside its flatbuffer")

    monkeypatch.setitem(FILE_STEPS, "share", dataclasses.replace(FILE_STEPS["share"], apply=refuse))
    context = trained.context.model_copy(update={"run_id": "refused"})
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate_id="float16",
        config=SHARING.to_json(),
        context=context.to_json(),
        candidate=tmp_path / "refused",
    )
    candidate = Candidate.read(tmp_path / "refused")
    assert candidate.failure == "the model keeps weights outside its flatbuffer"
    assert (candidate.model, candidate.file_steps) == (None, ())
    assert not (tmp_path / "refused/model.tflite").exists()


def test_a_candidate_without_steps_says_what_its_scheme_does(candidates: dict[str, Path]) -> None:
    candidate = Candidate.read(candidates["float16"])
    assert candidate.file_steps == ()
    assert candidate.words == "float16 weights"


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    context = run_context(tmp_path)
    shutil.copytree(Path(trained.context.data_root, "shards"), tmp_path / "data/shards")
    bundles = {"dense": trained.dense, "pruned": trained.pruned}
    models = store_models(context, tmp_path / "models", bundles)
    call = {
        "dataset": str(trained.dataset),
        "models": str(models),
        "config": CONFIG.to_json(),
        "context": context.to_json(),
    }
    program = (
        "import json, sys; from pathlib import Path; from components.quantize import stage\n"
        "call = json.loads(sys.argv[1])\n"
        "paths = {name: Path(call[name]) for name in ('dataset', 'models')}\n"
        "for id_ in sys.argv[3:]:\n"
        "    stage.run(**call | paths, candidate_id=id_, candidate=Path(sys.argv[2], id_))\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, json.dumps(call), str(tmp_path), *candidates],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
    )
    for id_ in candidates:
        for name in ("model.tflite", "candidate.json"):
            assert (tmp_path / id_ / name).read_bytes() == (candidates[id_] / name).read_bytes()


def test_the_record_names_the_libraries_that_made_the_model(trained: TrainedModel) -> None:
    store = Path(trained.context.data_root, "store/quantize")
    records = [Record.read(entry) for entry in store.iterdir()]
    assert {"tensorflow", "tf-keras", "ai-edge-litert"} <= set(records[0].libraries)
