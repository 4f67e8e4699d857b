"""The step channels: a truly narrower model, with training after the cut or without."""

import numpy as np
import pytest
from pydantic import ValidationError

from components.common.digests import tree_digest
from components.common.documents.bundle import Architecture, ModelBundle
from components.common.errors import UserError
from components.common.lite.litert import Classifier
from components.common.models.bundles import load_bundle_model
from components.common.tasks.image.models.classifier import build_classifier
from components.compress.steps.channels import Settings, choose_groups
from components.quantize.conversion import convert_model
from tests.builders.bundles import input_spec
from tests.builders.compression import accuracy, draw_dense

pytestmark = pytest.mark.xdist_group("compress")  # What they share is made once.

UNTRAINED = {"epochs": 0, "examples": 48}


@pytest.fixture(scope="module")
def untrained(dense, tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrained") / "bundle"
    dense.compress(folder, ("channels", UNTRAINED))
    return folder


@pytest.mark.slow
def test_without_training_the_cut_model_still_answers(dense, untrained):
    document, before = ModelBundle.read(untrained), ModelBundle.read(dense.bundle)
    assert document.architecture.filters == {"block1_conv": 8, "block2_conv": 16, "block3_conv": 32}
    assert (document.history, document.best_epoch, document.faults) == ((), 0, ())
    assert [step.title for step in document.steps] == ["cut 50 % of channels"]
    changing = {"history", "best_epoch", "steps", "lineage", "architecture", "parameters", "faults"}
    assert document.model_dump(exclude=changing) == before.model_dump(exclude=changing)
    assert accuracy(dense.bundle) > 0.9
    assert accuracy(untrained) > accuracy(dense.bundle) - 0.1


@pytest.mark.slow
def test_the_bundle_is_of_the_narrower_model(dense, untrained):
    model = load_bundle_model(untrained)
    assert model.count_params() == ModelBundle.read(untrained).parameters
    assert model.count_params() < 0.35 * load_bundle_model(dense.bundle).count_params()
    assert model.get_layer("block2_conv").kernel.shape == (3, 3, 8, 16)


@pytest.mark.slow
def test_the_same_cut_is_the_same_bytes(dense, untrained, tmp_path):
    dense.fresh().compress(tmp_path / "again", ("channels", UNTRAINED))
    assert tree_digest(tmp_path / "again") == tree_digest(untrained)


@pytest.mark.slow
def test_after_the_cut_it_goes_on_learning(dense, tmp_path):
    told = {
        "examples": 48,
        "epochs": 2,
        "layers": ("block2",),
        "optimizer": {"learning_rate": 1e-3},
    }
    document = dense.compress(tmp_path / "trained", ("channels", told))
    assert document.architecture.filters == {"block2_conv": 16}
    assert [(epoch.phase, epoch.epoch) for epoch in document.history] == [
        ("channels", 1), ("channels", 2)
    ]  # fmt: skip
    assert document.best_epoch in (1, 2)
    assert accuracy(tmp_path / "trained") > accuracy(dense.bundle) - 0.1


@pytest.mark.slow
def test_steps_follow_on_a_narrower_model(dense, tmp_path):
    prune = {"epochs": 1, "final_sparsity": 0.5, "end": 1.0}
    document = dense.compress(
        tmp_path / "many",
        ("prune", prune),
        ("channels", UNTRAINED),
        ("channels", UNTRAINED | {"layers": ("block3",)}),
        ("prune", prune),
    )
    assert document.architecture.filters == {"block1_conv": 8, "block2_conv": 16, "block3_conv": 16}
    assert [epoch.epoch for epoch in document.history] == [1, 2]
    assert document.best_epoch == 2
    zeros = {layer.layer: layer.zeros for layer in document.steps[-1].sparsity}
    assert zeros["block3_conv"] == 3 * 3 * 16 * 16 // 2
    load_bundle_model(tmp_path / "many")


@pytest.mark.slow
def test_the_last_epoch_that_was_kept_is_named_where_no_other_follows(dense, tmp_path):
    prune = {"epochs": 2, "final_sparsity": 0.5, "end": 0.5}
    document = dense.compress(tmp_path / "two", ("prune", prune), ("channels", UNTRAINED))
    kept = document.history[document.best_epoch - 1]
    assert kept.phase == "prune" and len(document.history) == 2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"layers": ("block9",)},
            "block9 matches no convolution that can be cut; these can: block1",
        ),
        ({"share": 0.05}, "none of 3 groups of channels is so wide"),
    ],
)
def test_what_can_not_be_cut_is_said_by_its_setting(told, message):
    architecture = Architecture(backbone="small_cnn", width=0.5)
    with pytest.raises(UserError, match=message):
        choose_groups(build_classifier(architecture, input_spec(16, 16, 1), 3), Settings(**told))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"layers": ("(",)}, "is no regular expression"),
        ({"share": 0}, "greater than 0"),
        ({"share": 1}, "less than 1"),
        ({"epochs": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(told, message):
    with pytest.raises(ValidationError, match=message):
        Settings(**told)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet50_v2"])  # Lite0 is as the first.
def test_every_kind_of_backbone_is_cut_converted_and_run(tmp_path, backbone):
    whole, model = draw_dense(tmp_path, backbone)
    told = {"examples": 16, "epochs": 0, "share": 0.5}
    document = whole.compress(tmp_path / "cut", ("channels", told))
    assert document.parameters < 0.75 * model.count_params()
    pictures = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3)).astype(np.uint8)
    pictures[0, 0, :2] = [[0] * 3, [255] * 3]
    for kind in ("float32", "int8"):
        data = convert_model(load_bundle_model(tmp_path / "cut"), document.input, kind, pictures)
        (tmp_path / "model.tflite").write_bytes(data)
        answer = Classifier(tmp_path / "model.tflite").classify(pictures[0].astype(np.float32))
        assert answer.shape == (len(document.class_names),)
        assert np.sum(answer) == pytest.approx(1, abs=0.05)
    assert len(data) < 1.4 * document.parameters  # Narrow layers carry more scales and zero points.
