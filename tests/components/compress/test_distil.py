"""The step distil: a smaller model learns from its parent, and takes its place."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from components.common.documents.bundle import Architecture, ModelBundle, StepFacts
from components.common.documents.image import ImageSpec
from components.common.errors import BAD_INPUT
from components.common.keras import keras
from components.common.lite.litert import Classifier
from components.common.models.bundles import load_bundle_model
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.models.classifier import build_classifier
from components.common.training.config import Distillation
from components.compress.steps import STEPS
from components.compress.steps.distil import Settings, identify
from components.compress.steps.step import Compressed, Student
from components.quantize.conversion import convert_model
from tests.builders.compression import accuracy, fine_tune_dense

pytestmark = pytest.mark.xdist_group("compress")  # What they share is made once.

STUDENT = {"width": 0.25, "epochs": 8, "optimizer": {"learning_rate": 5e-3}}


@pytest.fixture(scope="module")
def student(dense, tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "bundle"
    dense.compress(folder, ("distil", STUDENT | {"shrink": 2}))
    return folder


@pytest.mark.slow
def test_the_student_takes_its_parents_place(dense, student):
    document, before = ModelBundle.read(student), ModelBundle.read(dense.bundle)
    assert document.architecture.model_dump() == {
        "task": "image",
        "backbone": "small_cnn",
        "width": 0.25,
        "dropout": 0.2,
        "dropout_seed": 0,
        "shrink": 2,
    }
    assert [step.title for step in document.steps] == ["distil into small_cnn, width 0.25, 8 px"]
    assert {epoch.phase for epoch in document.history} == {"distil"}
    assert document.input == before.input, "a device gives it the same picture"
    model = load_bundle_model(student)
    assert document.parameters == model.count_params() < before.parameters / 3
    assert model.get_layer("block1_conv").input.shape[1:3] == (8, 8)
    assert accuracy(student) > 0.75 and accuracy(dense.bundle) > 0.9


@pytest.mark.slow
def test_the_student_runs_as_int8_in_litert(student, tmp_path):
    document, model = ModelBundle.read(student), load_bundle_model(student)
    pictures = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 1)).astype(np.uint8)
    pictures[0, 0, :2] = [[0], [255]]
    answers = {}
    for kind in ("float32", "int8"):
        path = tmp_path / f"{kind}.tflite"
        path.write_bytes(convert_model(model, document.input, kind, pictures))
        classifier = Classifier(path)
        answers[kind] = np.stack([classifier.classify(p.astype(np.float32)) for p in pictures])
    prepared = (pictures - np.float32(document.input.offset)) * np.float32(document.input.scale)
    np.testing.assert_allclose(answers["float32"], model(prepared), atol=1e-4)
    np.testing.assert_allclose(answers["int8"], answers["float32"], atol=0.15)


@pytest.mark.slow
def test_a_student_on_a_pretrained_backbone_keeps_its_norms_and_goes_on(tmp_path):
    dense = fine_tune_dense(tmp_path, size=32, channels=3)
    document = dense.compress(
        tmp_path / "student",
        ("distil", {"backbone": "efficientnet_lite0", "epochs": 1}),
        ("prune", {"epochs": 1, "final_sparsity": 0.3, "end": 1.0, "distillation": {}}),
    )
    assert document.input.offset != ModelBundle.read(dense.bundle).input.offset
    model = load_bundle_model(tmp_path / "student")
    norms = {
        layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert set(document.frozen_layers) == norms
    assert {epoch.phase for epoch in document.history} == {"distil", "prune"}
    assert [epoch.epoch for epoch in document.history] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet50_v2"])
def test_students_of_other_backbones_are_converted_and_run(tmp_path, backbone):
    examples = {"train": 24, "validation": 6, "test": 6}
    dense = fine_tune_dense(tmp_path, size=64, channels=3, examples=examples)
    told = {"backbone": backbone, "weights": "none", "epochs": 1, "shrink": 2}
    document = dense.compress(tmp_path / "student", ("distil", told))
    pictures = np.random.default_rng(0).integers(0, 256, (32, 64, 64, 3)).astype(np.uint8)
    pictures[0, 0, :2] = [[0] * 3, [255] * 3]
    data = convert_model(load_bundle_model(tmp_path / "student"), document.input, "int8", pictures)
    (tmp_path / "model.tflite").write_bytes(data)
    answer = Classifier(tmp_path / "model.tflite").classify(pictures[0].astype(np.float32))
    assert np.sum(answer) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_the_teacher_of_a_later_step_is_shown_the_pictures_as_it_was_trained_on_them(
    dense, tmp_path, monkeypatch
):
    seen = {}

    def swap(model, settings, session):
        """Describes the same graph on pictures that are prepared in another way."""
        spec = session.spec.model_copy(update={"offset": (3.0,), "scale": (0.5,)})
        seen["own"] = session.spec
        architecture = ModelBundle.read(dense.bundle).architecture
        return Compressed(
            model=model,
            history=(),
            best_epoch=0,
            facts=StepFacts(kind="distil", activity="", title=""),
            student=Student(architecture=architecture, input=spec),
        )

    def look(model, settings, session):
        pictures = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1))
        shown = (prepare_inputs(spec)(pictures, None) for spec in (seen["own"], session.spec))
        seen["before"], seen["after"] = (
            model(next(shown)),
            session.teacher(Distillation())(next(shown)),
        )
        facts = StepFacts(kind="channels", activity="", title="")
        return Compressed(model=model, history=(), best_epoch=0, facts=facts)

    for kind, apply in (("distil", swap), ("channels", look)):
        stand_in = SimpleNamespace(Settings=STEPS[kind].Settings, apply=apply)
        monkeypatch.setitem(STEPS, kind, stand_in)
    dense.compress(tmp_path / "bundle", ("distil", {}), ("channels", {}))
    np.testing.assert_allclose(seen["after"], seen["before"], atol=1e-4)
    assert np.ptp(seen["before"].numpy(), axis=0).max() > 1e-2


@pytest.mark.parametrize(
    ("told", "begins_with", "named"),
    [
        ({"backbone": "small_cnn"}, "none", set()),
        ({"backbone": "efficientnet_lite0"}, "imagenet", {"weights"}),
        ({"backbone": "efficientnet_lite0", "weights": "none"}, "none", set()),
        ({"backbone": "mobilenet_v2"}, "imagenet", {"weights"}),
        ({"backbone": "mobilenet_v2", "width": 0.5}, "none", set()),
        ({"backbone": "efficientnet_lite0", "depth": 0.5}, "imagenet", {"weights"}),
        (
            {"backbone": "mobilenet_v2", "width": 0.5, "weights": "imagenet"},
            "imagenet",
            {"weights"},
        ),
    ],
)
def test_what_a_student_begins_with_enters_the_key(told, begins_with, named):
    settings = Settings(**told)
    assert settings.begins_with == begins_with
    assert set(identify(settings)) == named


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"backbone": "vgg16", "width": 0.5}, "width: 0.5 is none of the backbone vgg16"),
        ({"backbone": "small_cnn", "weights": "imagenet"}, "weights: there are no imagenet"),
        ({"backbone": "mobilenet_v2", "depth": 0.5}, "depth: 0.5 is none of the backbone mobile"),
        ({"depth": 1.5}, "less than or equal to 1"),
        ({"shrink": 9}, "less than or equal to 8"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"distillation": None}, "valid dictionary or instance of Distillation"),
    ],
)
def test_settings_that_no_student_can_have_are_refused(told, message):
    with pytest.raises(ValidationError, match=message):
        Settings(**told)


@pytest.mark.parametrize(
    ("told", "side", "channels", "message"),
    [
        ({}, 28, 1, None),
        ({"shrink": 3}, 28, 1, "shrink: 3 does not divide pictures of 28 pixels"),
        ({"shrink": 4}, 28, 1, "shrink: small_cnn takes pictures of 8 pixels or more, not 7"),
        ({"backbone": "vgg16"}, 32, 1, "backbone: vgg16 takes pictures of 3 channels, not 1"),
    ],
)
def test_settings_that_do_not_fit_the_pictures_are_said(told, side, channels, message):
    found = Settings(**told).explain_misfit(side=side, channels=channels)
    assert (found or "").startswith(message or "") and (found is None) == (message is None)


@pytest.mark.slow
def test_a_student_that_can_not_see_the_pictures_is_refused_by_the_setting(dense, tmp_path, capfd):
    with pytest.raises(SystemExit, match=str(BAD_INPUT)):
        dense.compress(tmp_path / "student", ("distil", {"shrink": 3}))
    assert "distil.shrink: 3 does not divide pictures of 16 pixels" in capfd.readouterr().err


@pytest.mark.slow
def test_the_same_student_is_the_same_bytes_whatever_was_done_before(dense, student, tmp_path):
    document = dense.fresh().compress(
        tmp_path / "again",
        ("channels", {"epochs": 0, "examples": 48}),
        ("distil", STUDENT | {"shrink": 2}),
    )
    assert document.architecture == ModelBundle.read(student).architecture
    for one, other in zip(
        load_bundle_model(tmp_path / "again").get_weights(),
        load_bundle_model(student).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_student_of_fewer_blocks_is_built_again_from_its_bundle(dense, tmp_path):
    document = dense.compress(
        tmp_path / "student", ("distil", {"width": 0.5, "depth": 0.5, "epochs": 1})
    )
    assert document.architecture.depth == 0.5
    assert document.steps[0].title == "distil into small_cnn, width 0.5, depth 0.5"
    model = load_bundle_model(tmp_path / "student")
    blocks = {layer.name for layer in model.layers if layer.name.endswith("_conv")}
    assert blocks == {"block1_conv", "block2_conv"}
    assert document.parameters == model.count_params() < ModelBundle.read(dense.bundle).parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "left"),
    [
        ("efficientnet_lite0", [0, 1, 3, 5, 6, 8, 9, 11, 12, 15]),
        ("efficientnet_lite1", [0, 1, 2, 4, 5, 7, 8, 11, 12, 15, 16, 17, 20]),
    ],
)
def test_the_first_blocks_of_each_stage_stay_and_keep_their_names(backbone, left):
    image = ImageSpec(
        height=32, width=32, channels=3, encoding="png", fit="crop", background="#ffffff"
    )
    architecture = Architecture(backbone=backbone, depth=0.5)
    model = build_classifier(architecture, BACKBONES[backbone].input_spec(image), 3)
    names = {layer.name.partition("_")[0] for layer in model.layers}
    assert sorted(int(name[5:]) for name in names if name.startswith("block")) == left
    assert model.get_layer("pool").input.shape[1:] == (1, 1, 1280)
    assert Architecture.model_validate(architecture.model_dump()) == architecture
