"""The step qat: weights that bear being rounded, of any parent, and the zeros that it had."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from components.common.digests import tree_digest
from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.lite.litert import Classifier
from components.common.models.bundles import load_bundle_model
from components.common.tasks.image.calibration import span_range
from components.compress.steps.qat import Settings
from components.quantize.conversion import convert_model
from tests.builders.bundles import read_split
from tests.builders.compression import Dense, accuracy, draw_dense

pytestmark = pytest.mark.xdist_group("compress")  # What they share is made once.

PRUNED = ("prune", {"final_sparsity": 0.6, "epochs": 1})
TOLD = {"epochs": 2, "examples": 48, "optimizer": {"learning_rate": 1e-3}, "distillation": {}}


@pytest.fixture(scope="module")
def retrained(dense: Dense, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pruned model, trained for int8."""
    folder = tmp_path_factory.mktemp("trained") / "bundle"
    dense.compress(folder, PRUNED, ("qat", TOLD))
    return folder


@pytest.mark.slow
def test_a_pruned_model_keeps_its_graph_and_its_zeros(dense: Dense, retrained: Path) -> None:
    document, before = ModelBundle.read(retrained), ModelBundle.read(dense.bundle)
    changing = {"history", "best_epoch", "steps", "lineage", "faults"}
    assert document.model_dump(exclude=changing) == before.model_dump(exclude=changing)
    assert [step.title for step in document.steps] == ["prune 60 %", "train for int8"]
    assert [epoch.phase for epoch in document.history] == ["prune", "qat", "qat"]
    assert document.best_epoch in (2, 3)
    model = load_bundle_model(retrained)
    for layer in document.steps[0].sparsity:
        kernel = model.get_layer(layer.layer).kernel.numpy()
        assert np.sum(kernel == 0) == layer.zeros
    assert accuracy(retrained) > accuracy(dense.bundle) - 0.1


@pytest.mark.slow
def test_the_same_training_is_the_same_bytes(dense: Dense, retrained: Path, tmp_path: Path) -> None:
    dense.fresh().compress(tmp_path / "again", PRUNED, ("qat", TOLD))
    assert tree_digest(tmp_path / "again") == tree_digest(retrained)


@pytest.mark.slow
def test_it_follows_a_cut(dense: Dense, tmp_path: Path) -> None:
    cut = ("channels", {"epochs": 0, "examples": 48})
    document = dense.compress(tmp_path / "cut", cut, ("qat", {**TOLD, "epochs": 1}))
    assert [step.kind for step in document.steps] == ["channels", "qat"]
    assert document.architecture.filters["block2_conv"] == 16


@pytest.mark.parametrize("told", [{"epochs": 0}, {"examples": 8}])
def test_settings_that_make_no_sense_are_refused(told: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Settings(**told)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["small_cnn"])  # The others take minutes each.
def test_a_backbone_is_trained_for_int8_and_converted(tmp_path: Path, backbone: str) -> None:
    whole, model = draw_dense(tmp_path, backbone)
    told = {"examples": 16, "epochs": 1, "global_batch_size": 8, "optimizer": {"name": "sgd"}}
    document = whole.compress(tmp_path / "trained", ("qat", told))
    assert len(document.history) == 1
    after = load_bundle_model(tmp_path / "trained")
    kernels = [
        np.abs(own - other).max()
        for own, other in zip(model.get_weights(), after.get_weights(), strict=True)
        if own.ndim > 1
    ]
    assert min(kernels) > 0
    manifest = DatasetManifest.read(whole.dataset)
    pictures, _, _ = read_split(whole.context, manifest, "train")
    data = convert_model(after, document.input, "int8", span_range(pictures))
    (tmp_path / "model.tflite").write_bytes(data)
    answer = Classifier(tmp_path / "model.tflite").classify(pictures[0])
    assert np.sum(answer) == pytest.approx(1, abs=0.05)
