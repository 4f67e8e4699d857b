"""finetune as a task: from a data set to a bundle, the same one every time."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.common.data.predictions import read_bundle_predictions
from components.common.digests import tree_digest
from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import TaskResult
from components.common.models.bundles import load_bundle_model
from components.common.models.predictions import PREDICTED_SPLITS, save_predictions
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.tasks.image.device import decode_picture
from components.common.tasks.image.tuning import describe_architecture, identify_weights
from components.common.tasks.reading import read_examples
from components.common.training.best_epoch import best_epoch
from components.finetune import stage
from components.finetune.config import FinetuneConfig
from tests.builders.synthetic import run_context, write_dataset

pytestmark = pytest.mark.xdist_group("finetune_stage")  # What they share is made once.

CONFIG = FinetuneConfig(
    backbone="small_cnn", width=0.25, epochs=4, optimizer={"learning_rate": 3e-3}
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunContext, Path]:
    folder = tmp_path_factory.mktemp("dataset")
    context = run_context(folder)
    write_dataset(context, folder / "manifest")
    return context, folder / "manifest"


def finetune(dataset: tuple[RunContext, Path], bundle: Path, config=CONFIG, *, context=None):
    stage.STAGE.run(
        dataset=dataset[1],
        config=config.to_json(),
        context=(context or dataset[0]).to_json(),
        bundle=bundle,
    )
    return ModelBundle.read(bundle)


@pytest.fixture(scope="module")
def bundle(dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    finetune(dataset, folder)
    return folder


def test_the_bundle_tells_how_the_model_came_to_be(bundle, dataset):
    document = ModelBundle.read(bundle)
    assert document.class_names == ("bar", "cross", "disc")
    assert document.architecture.backbone == "small_cnn"
    assert [epoch.epoch for epoch in document.history] == [1, 2, 3, 4]
    assert {epoch.phase for epoch in document.history} == {"fine_tune"}
    assert document.parameters == load_bundle_model(bundle).count_params()
    assert document.steps == ()
    validation = DatasetManifest.read(dataset[1]).splits["validation"].examples
    assert document.best_epoch == best_epoch(document.history, examples=validation).epoch


def test_the_run_has_a_point_of_each_curve_for_every_epoch(bundle, dataset):
    context, _ = dataset
    folder = Path(context.data_root, context.run_folder(), "tensorboard", "finetune")
    assert len(list(folder.glob("*tfevents*"))) == len(ModelBundle.read(bundle).history)
    text = Path(context.data_root, context.run_folder(), "tasks", "finetune.json").read_bytes()
    measurements = TaskResult.parse(text).record.measurements
    assert {"examples_per_s", "step_ms", "input_wait_share"} < set(measurements)


def test_predictions_are_the_models_on_what_a_device_would_see(bundle, dataset):
    context, folder = dataset
    manifest, document = DatasetManifest.read(folder), ModelBundle.read(bundle)
    model = load_bundle_model(bundle)
    for split in ("validation", "test"):
        found = read_bundle_predictions(bundle, split)
        examples = {
            example.id: example for example in read_examples(manifest, split, context.data())
        }
        assert {id_.decode() for id_ in found.ids} == set(examples)
        own = [examples[id_.decode()] for id_ in found.ids]
        assert found.labels.tolist() == [example.label for example in own]
        pictures = np.stack([decode_picture(example.image, channels=1) for example in own])
        inputs = (pictures.astype(np.float32) - document.input.offset) * document.input.scale
        np.testing.assert_allclose(found.probabilities, model(inputs).numpy(), atol=1e-5)
    accuracy = np.mean(found.probabilities.argmax(1) == found.labels)
    assert accuracy > 0.6, "three classes: a third would be chance"


def test_the_live_view_tells_how_many_are_predicted(bundle, dataset, tmp_path, capsys):
    context, folder = dataset
    manifest = DatasetManifest.read(folder)
    save_predictions(
        load_bundle_model(bundle),
        tmp_path,
        manifest,
        context.data(),
        spec=ModelBundle.read(bundle).input,
        scratch=tmp_path,
        events=Events("finetune"),
    )
    count = sum(manifest.splits[split].examples for split in PREDICTED_SPLITS)
    words = f"progress done={count} total={count} unit=examples note=predicting"
    assert words in capsys.readouterr().out


@pytest.mark.slow
def test_training_again_elsewhere_gives_the_same_bytes(bundle, dataset, tmp_path):
    context, folder = dataset
    elsewhere = context.model_copy(update={"data_root": str(tmp_path / "root"), "run_id": "other"})
    shutil.copytree(Path(context.data_root, "shards"), tmp_path / "root" / "shards")
    finetune(dataset, tmp_path / "bundle", context=elsewhere)
    assert tree_digest(tmp_path / "bundle") == tree_digest(bundle)


def test_unchanged_work_is_answered_from_the_store(bundle, dataset, tmp_path):
    context, _ = dataset
    (record,) = Path(context.data_root, "store", "finetune").glob("*/record.json")
    before = record.stat().st_mtime_ns
    finetune(dataset, tmp_path / "bundle")
    assert tree_digest(tmp_path / "bundle") == tree_digest(bundle)
    assert record.stat().st_mtime_ns == before


def weights_file(folder: Path, content: bytes) -> FinetuneConfig:
    folder.mkdir()
    (folder / "weights.h5").write_bytes(content)
    return CONFIG.model_copy(update={"weights": str(folder / "weights.h5")})


def test_weights_count_by_their_content_and_not_by_their_place(tmp_path):
    one = weights_file(tmp_path / "one", b"weights")
    moved = weights_file(tmp_path / "moved", b"weights")
    changed = weights_file(tmp_path / "changed", b"other weights")
    assert identify_weights(one) == identify_weights(moved)
    assert identify_weights(one) != identify_weights(changed)
    assert one.identity() == moved.identity()


def test_missing_weights_stop_before_training(dataset, tmp_path, capsys):
    config = CONFIG.model_copy(update={"weights": str(tmp_path / "none.h5")})
    with pytest.raises(SystemExit) as stopped:
        finetune(dataset, tmp_path / "bundle", config)
    assert stopped.value.code == 2
    assert "none.h5 does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_mixed_precision_is_left_out_of_the_saved_model(dataset, tmp_path):
    """This machine may have no bfloat16: the policy is given as a device would."""
    from components.common.documents.dataset import DatasetManifest
    from components.common.process.events import Events
    from components.common.tasks.image.inputs import prepare_inputs
    from components.common.tasks.image.models.backbones import BACKBONES
    from components.common.training.examples import open_examples
    from components.common.training.loop import inference, make_deterministic
    from components.common.training.session import Session
    from components.finetune.fine_tuning import build_model, fine_tune, in_float32

    context, folder = dataset
    manifest = DatasetManifest.read(folder)
    spec = BACKBONES["small_cnn"].input_spec(manifest.spec)
    make_deterministic(0)
    model = build_model(CONFIG, spec, 3, weights="none", precision="mixed_bfloat16")
    splits = {
        split: open_examples(manifest, split, context.data(), scratch=tmp_path)
        for split in ("train", "validation")
    }
    config = CONFIG.model_copy(update={"epochs": 1})
    session = Session(manifest=manifest, spec=spec, **splits, events=Events("test"))
    fine_tune(model, config, session)
    plain = in_float32(model, describe_architecture(CONFIG, "none"), spec)
    assert model.get_layer("block2_conv").compute_dtype == "bfloat16"
    assert plain.get_layer("block2_conv").compute_dtype == "float32"
    assert [layer.name for layer in plain.layers] == [layer.name for layer in model.layers]
    inputs = prepare_inputs(spec)(splits["validation"].inputs, None)
    np.testing.assert_allclose(inference(plain)(inputs), inference(model)(inputs), atol=0.05)
