"""The evaluate stage on candidates that the quantize stage made."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from kfp import dsl

from components.common.data.predictions import read_bundle_predictions, read_evaluation_predictions
from components.common.digests import file_digest
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import SplitExamples
from components.common.documents.evaluation import Evaluation
from components.common.lite.inference import predict_examples
from components.common.tasks.reading import device_input, read_examples
from components.evaluate import stage
from components.evaluate.config import EvaluateConfig
from components.evaluate.labels import find_doubtful_labels
from tests.builders.bundles import store_models
from tests.components.conftest import TrainedModel

CONFIG = EvaluateConfig(bootstrap_resamples=100)


def evaluate(
    trained: TrainedModel, candidate: Path, folder: Path, config: EvaluateConfig = CONFIG
) -> tuple[Evaluation, dsl.Metrics, dsl.ClassificationMetrics]:
    metrics = dsl.Metrics(name="metrics", uri=str(folder / "metrics"), metadata={})
    confusion = dsl.ClassificationMetrics(
        name="confusion", uri=str(folder / "confusion"), metadata={}
    )
    stage.run(
        dataset=trained.dataset,
        models=trained.models,
        candidate=candidate,
        candidate_id=Candidate.read(candidate).candidate_id,
        config=config.to_json(),
        context=trained.context.to_json(),
        evaluation=folder / "evaluation",
        metrics=metrics,
        confusion=confusion,
    )
    return Evaluation.read(folder / "evaluation"), metrics, confusion


def copy_candidate(candidate: Path, folder: Path, **changes: Any) -> Path:
    """Returns a candidate without its model, its document changed."""
    Candidate.read(candidate).model_copy(update=changes).write(folder)
    return folder


def test_a_candidate_is_measured_on_every_test_example(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    evaluation, _, _ = evaluate(trained, candidates["int8"], tmp_path)
    predictions = read_evaluation_predictions(tmp_path / "evaluation")
    right = predictions.probabilities.argmax(axis=1) == predictions.labels
    assert evaluation.failure is None
    assert evaluation.examples == len(predictions) == 300
    assert evaluation.metrics["accuracy"].value == right.mean()
    assert 0.5 < right.mean() < 1
    assert np.trace(evaluation.confusion) == right.sum()
    assert [entry.slice_name for entry in evaluation.per_slice] == ["even", "odd"]
    assert sum(entry.examples for entry in evaluation.per_slice) == 300


def test_a_candidate_is_judged_on_validation_where_it_is_to_be_ranked(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"split": "validation"})
    on_test, _, _ = evaluate(trained, candidates["int8"], tmp_path / "test")
    evaluation, _, _ = evaluate(trained, candidates["int8"], tmp_path / "validation", config)
    predictions = read_evaluation_predictions(tmp_path / "validation/evaluation")
    assert (evaluation.split, on_test.split) == ("validation", "test")
    assert (evaluation.examples, on_test.examples) == (30, 300)
    assert set(predictions.ids) == set(read_bundle_predictions(trained.dense, "validation").ids)
    assert evaluation.keras is not None and evaluation.keras.same_prediction > 0.9
    tasks = Path(trained.context.data_root, trained.context.run_folder(), "tasks")
    names = {path.name for path in tasks.glob("evaluate*")}
    assert {"evaluate[int8].json", "evaluate[int8 on validation].json"} <= names


@pytest.mark.parametrize("id_", ["float32", "pruned-float32"])
def test_float_is_what_its_own_bundle_predicted(
    id_: str, trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    evaluation, _, _ = evaluate(trained, candidates[id_], tmp_path)
    assert evaluation.keras is not None
    assert evaluation.keras.same_prediction == 1.0
    assert evaluation.keras.largest_difference < 1e-5
    assert (evaluation.doubtful is not None) == (id_ == "float32")
    if evaluation.doubtful is not None:
        validation = read_bundle_predictions(trained.dense, "validation")
        assert evaluation.doubtful == find_doubtful_labels(validation)


def test_a_model_broken_in_conversion_shows_against_keras(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    broken = copy_candidate(candidates["float32"], tmp_path / "broken", variant="pruned")
    shutil.copy(candidates["float32"] / "model.tflite", broken)
    evaluation, _, _ = evaluate(trained, broken, tmp_path)
    assert evaluation.keras is not None
    assert evaluation.keras.largest_difference > 0.01


def test_a_candidate_that_could_not_be_made_has_a_reason_and_no_figures(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    failed = copy_candidate(
        candidates["int8"], tmp_path / "failed", model=None, failure="no int8 kernel for SIN"
    )
    evaluation, metrics, confusion = evaluate(trained, failed, tmp_path)
    assert evaluation.failure == "no int8 kernel for SIN"
    assert (evaluation.metrics, evaluation.confusion, evaluation.keras) == ({}, (), None)
    assert (metrics.metadata, confusion.metadata) == ({}, {})
    assert not (tmp_path / "evaluation/predictions.npz").exists()


def test_a_model_that_litert_refuses_is_a_failure_not_a_failed_task(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    damaged = copy_candidate(candidates["int8"], tmp_path / "damaged")
    data = (candidates["int8"] / "model.tflite").read_bytes()
    (damaged / "model.tflite").write_bytes(data[: len(data) // 2])
    evaluation, _, _ = evaluate(trained, damaged, tmp_path)
    assert evaluation.failure is not None
    assert evaluation.failure.startswith("LiteRT cannot load the model")


def test_kfp_gets_the_figures_from_the_store_as_well(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    evaluate(trained, candidates["float16"], tmp_path / "first")
    evaluation, metrics, confusion = evaluate(trained, candidates["float16"], tmp_path / "second")
    task = trained.context.data().read("runs/test/tasks/evaluate[float16].json")
    assert json.loads(task)["status"] == "cached"
    assert metrics.metadata["accuracy"] == evaluation.metrics["accuracy"].value
    matrix = confusion.metadata["confusionMatrix"]
    assert [spec["displayName"] for spec in matrix["annotationSpecs"]] == ["bar", "cross", "disc"]
    assert [tuple(row["row"]) for row in matrix["rows"]] == list(evaluation.confusion)


def test_predictions_do_not_depend_on_the_number_of_threads(
    trained: TrainedModel, candidates: dict[str, Path]
) -> None:
    model = candidates["dynamic_range"] / "model.tflite"
    alone, together = (
        predict_examples(
            model,
            read_examples(trained.manifest, "test", trained.context.data()),
            see=device_input(trained.manifest),
            threads=threads,
        )
        for threads in (1, 3)
    )
    for name in ("ids", "labels", "probabilities", "slices"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))
    assert set(alone.ids) == set(read_bundle_predictions(trained.dense, "test").ids)


@pytest.mark.slow
def test_tensorflow_is_never_imported_and_the_bytes_are_the_same(
    trained: TrainedModel, candidates: dict[str, Path], tmp_path: Path
) -> None:
    evaluate(trained, candidates["int8"], tmp_path / "here")
    elsewhere = trained.context.model_copy(update={"data_root": str(tmp_path / "data")})
    shutil.copytree(Path(trained.context.data_root, "shards"), tmp_path / "data/shards")
    models = store_models(elsewhere, tmp_path / "models", {"dense": trained.dense})
    program = f"""
import sys
from pathlib import Path
from kfp import dsl
from components.evaluate import stage
folder = Path({str(tmp_path)!r})
stage.run(
    dataset=Path({str(trained.dataset)!r}), models=Path({str(models)!r}),
    candidate=Path({str(candidates["int8"])!r}), candidate_id="int8",
    config={CONFIG.to_json()!r}, context={elsewhere.to_json()!r}, evaluation=folder / "there",
    metrics=dsl.Metrics(name="m", uri="m", metadata={{}}),
    confusion=dsl.ClassificationMetrics(name="c", uri="c", metadata={{}}),
)
heavy = {{"tensorflow", "tf_keras", "keras", "apache_beam"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    for name in ("evaluation.json", "predictions.npz"):
        here, there = tmp_path / "here/evaluation" / name, tmp_path / "there" / name
        assert file_digest(here) == file_digest(there)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_empty_split_is_the_users_to_mend(
    split: Literal["validation", "test"],
    trained: TrainedModel,
    candidates: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = SplitExamples(examples=0, shards=(), examples_per_class=(0, 0, 0))
    splits = {**trained.manifest.splits, split: nothing}
    trained.manifest.model_copy(update={"splits": splits}).write(tmp_path / "dataset")
    without = dataclasses.replace(trained, dataset=tmp_path / "dataset")
    with pytest.raises(SystemExit, match="2"):
        config = CONFIG.model_copy(update={"split": split})
        evaluate(without, candidates["float32"], tmp_path, config)
    assert f"data.splits.{split}" in capsys.readouterr().err
