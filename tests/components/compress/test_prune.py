"""The step prune: as sparse as asked for where it should be, dense where it must be."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from components.common.digests import tree_digest
from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.errors import UserError
from components.common.keras import keras
from components.common.models.bundles import load_bundle_model
from components.common.training.best_epoch import best_epoch
from components.common.training.config import Distillation
from components.compress.steps.lamp import lamp_shares
from components.compress.steps.prune import Settings, plan_schedule, prunable_layers
from tests.builders.compression import Dense, accuracy

pytestmark = pytest.mark.xdist_group("compress")  # What they share is made once.

CONFIG = Settings(final_sparsity=0.7, epochs=5, optimizer={"learning_rate": 2e-3})


def prune(dense: Dense, output: Path, *settings: Settings) -> ModelBundle:
    """Makes a variant by one step for each of the settings, or by that of CONFIG."""
    told = (each.model_dump() for each in settings or (CONFIG,))
    return dense.compress(output, *(("prune", each) for each in told))


@pytest.fixture(scope="module")
def pruned(dense: Dense, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pruned") / "bundle"
    prune(dense, folder)
    return folder


@pytest.mark.slow
def test_each_pruned_kernel_is_as_sparse_as_asked_for(pruned):
    model = load_bundle_model(pruned)
    document = ModelBundle.read(pruned)
    assert {layer.layer: layer.pruned for layer in document.steps[0].sparsity} == {
        "block1_conv": False,
        "block2_conv": True,
        "block3_conv": True,
        "head": False,
    }
    for layer in document.steps[0].sparsity:
        kernel = model.get_layer(layer.layer).kernel.numpy()
        assert layer.parameters == kernel.size
        assert layer.zeros == np.sum(kernel == 0)
        if layer.pruned:
            assert layer.zeros / layer.parameters == pytest.approx(0.7, abs=0.5 / kernel.size)
        else:
            assert layer.zeros == 0
    (step,) = document.steps
    assert (step.target_sparsity, step.title) == (0.7, "prune 70 %")


@pytest.mark.slow
def test_the_pruned_model_is_the_dense_one_but_for_its_weights(dense, pruned):
    before, after = load_bundle_model(dense.bundle), load_bundle_model(pruned)
    assert [(layer.name, type(layer)) for layer in after.layers] == [
        (layer.name, type(layer)) for layer in before.layers
    ]
    first, second = ModelBundle.read(dense.bundle), ModelBundle.read(pruned)
    changing = {"history", "best_epoch", "steps", "lineage"}
    assert first.model_dump(exclude=changing) == second.model_dump(exclude=changing)
    for layer in before.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for one, other in zip(
                layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_best_epoch_is_one_after_the_final_sparsity_is_reached(dense, pruned):
    document = ModelBundle.read(pruned)
    sparsities = [epoch.sparsity for epoch in document.history]
    assert {epoch.phase for epoch in document.history} == {"prune"}
    assert 0 < sparsities[0] < sparsities[1] < 0.69
    assert sparsities[2:] == pytest.approx([0.7] * 3, abs=0.001)
    examples = DatasetManifest.read(dense.dataset).splits["validation"].examples
    assert document.best_epoch == best_epoch(document.history[2:], examples=examples).epoch


@pytest.mark.slow
def test_pruning_costs_little_accuracy(dense, pruned):
    assert accuracy(dense.bundle) > 0.8
    assert accuracy(pruned) > accuracy(dense.bundle) - 0.1


@pytest.mark.slow
def test_pruning_learns_with_the_losses_that_it_is_told(dense, tmp_path):
    short = CONFIG.model_copy(update={"epochs": 1})
    (plain,) = prune(dense, tmp_path / "plain", short).history
    smooth = short.model_copy(update={"label_smoothing": 0.4})
    assert prune(dense, tmp_path / "smooth", smooth).history[0].loss > plain.loss + 0.1


@pytest.mark.slow
def test_pruning_twice_gives_the_same_bytes(dense, pruned, tmp_path):
    again = dataclasses.replace(dense, context=dense.context.model_copy(update={"run_id": "again"}))
    store = Path(dense.context.data_root, "store")
    store.rename(tmp_path / "put aside")
    try:
        prune(again, tmp_path / "bundle")
    finally:
        (tmp_path / "put aside").rename(tmp_path / "kept")
    assert tree_digest(tmp_path / "bundle") == tree_digest(pruned)


def every_kind_of_layer() -> keras.Model:
    layers = keras.layers
    pixels = layers.Input((8, 8, 3))
    features = layers.Conv2D(4, 3, name="stem")(pixels)
    features = layers.BatchNormalization(name="norm")(features)
    features = layers.DepthwiseConv2D(3, name="depthwise")(features)
    features = layers.SeparableConv2D(4, 1, name="separable")(features)
    features = layers.Conv2D(8, 1, name="project")(features)
    features = layers.Flatten(name="flat")(features)
    features = layers.Dense(6, name="hidden")(features)
    logits = layers.Dense(3, name="head")(features)
    return keras.Model(pixels, layers.Softmax(name="probabilities")(logits))


def test_rules_say_which_layers_stay_dense():
    model = every_kind_of_layer()
    assert prunable_layers(model) == {"project", "hidden"}
    assert prunable_layers(model, keep_dense=("^proj",)) == {"hidden"}
    assert prunable_layers(model, freeze=("^hid",)) == {"project"}


@pytest.mark.parametrize("setting", ["keep_dense", "freeze"])
def test_a_pattern_that_names_nothing_is_refused(setting):
    with pytest.raises(UserError, match=rf"{setting}: top_conv matches no layer.*stem, depthwise"):
        prunable_layers(every_kind_of_layer(), **{setting: ("top_conv",)})


def test_leaving_nothing_to_prune_is_refused():
    with pytest.raises(UserError, match="no layer is left to prune"):
        prunable_layers(every_kind_of_layer(), keep_dense=(".*",))


def test_only_what_is_trained_is_pruned():
    model = every_kind_of_layer()
    model.get_layer("project").trainable = False
    assert prunable_layers(model) == {"hidden"}
    model.get_layer("hidden").trainable = False
    with pytest.raises(UserError, match="all 2 that could be are frozen; state train.unfreeze"):
        prunable_layers(model)


@pytest.mark.slow
def test_layers_that_training_left_frozen_come_out_as_they_went_in(dense, tmp_path):
    bundle = shutil.copytree(dense.bundle, tmp_path / "frozen")
    document = ModelBundle.read(bundle)
    frozen = (*document.frozen_layers, "block1_conv", "block1_norm", "block2_conv")
    document.model_copy(update={"frozen_layers": frozen}).write(bundle)
    half_frozen = dataclasses.replace(dense, bundle=bundle)
    short = CONFIG.model_copy(update={"epochs": 1, "end": 1.0})
    (step,) = prune(half_frozen, tmp_path / "pruned", short).steps
    assert changed_layers(bundle, tmp_path / "pruned") == {"block3_conv", "head"}
    assert [layer.layer for layer in step.sparsity if layer.pruned] == ["block3_conv"]


@pytest.mark.parametrize(
    ("epochs", "begin", "end", "frequency"),
    [(8, 0.0, 0.5, 20), (8, 0.1, 0.6, 7), (1, 0.0, 0.5, 20), (1, 0.9, 1.0, 50), (3, 0.0, 1.0, 1)],
)
@pytest.mark.parametrize("steps_per_epoch", [1, 3, 45])
def test_the_last_update_falls_on_the_end_and_within_training(
    epochs, begin, end, frequency, steps_per_epoch
):
    config = Settings(epochs=epochs, begin=begin, end=end, frequency=frequency)
    schedule = plan_schedule(config, steps_per_epoch=steps_per_epoch)
    total = epochs * steps_per_epoch
    assert 0 <= schedule.begin_step < schedule.end_step <= total
    assert (schedule.end_step - schedule.begin_step) % schedule.frequency == 0
    assert schedule.frequency <= frequency
    assert 1 <= schedule.first_sparse_epoch <= epochs
    assert (schedule.first_sparse_epoch - 1) * steps_per_epoch < schedule.end_step
    assert schedule.first_sparse_epoch * steps_per_epoch >= schedule.end_step


@pytest.mark.slow
def test_the_shortest_training_still_reaches_the_final_sparsity(dense, tmp_path):
    config = Settings(final_sparsity=0.5, epochs=1, global_batch_size=96, end=1.0)
    document = prune(dense, tmp_path / "bundle", config)
    pruned = [layer for layer in document.steps[0].sparsity if layer.pruned]
    assert [layer.zeros / layer.parameters for layer in pruned] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("setting", ["keep_dense", "freeze"])
def test_a_broken_pattern_is_refused_with_the_recipe(setting):
    with pytest.raises(ValidationError, match=rf"{setting}: '\(' is no regular expression"):
        Settings(**{setting: ("(",)})


def kernels_of(bundle: Path, layers) -> dict[str, np.ndarray]:
    model = load_bundle_model(bundle)
    return {layer: model.get_layer(layer).get_weights()[0] for layer in layers}


@pytest.mark.slow
def test_lamp_gives_layers_shares_of_their_own_and_all_of_them_what_was_asked_for(dense, tmp_path):
    short = {"epochs": 1, "end": 1.0, "global_batch_size": 96}
    settings = CONFIG.model_copy(update={"shares": "lamp", **short})
    (step,) = prune(dense, tmp_path / "bundle", settings).steps
    pruned = {layer.layer: layer for layer in step.sparsity if layer.pruned}
    parameters = sum(layer.parameters for layer in pruned.values())
    assert sum(layer.zeros for layer in pruned.values()) == round(0.7 * parameters)
    shares = lamp_shares(kernels_of(dense.bundle, pruned), 0.7)
    found = {name: layer.zeros / layer.parameters for name, layer in pruned.items()}
    assert found == pytest.approx(shares, abs=1e-9)
    assert max(found.values()) > min(found.values()) + 0.02
    assert all(layer.zeros == 0 for layer in step.sparsity if not layer.pruned)
    assert step.title == "prune 70 % (LAMP)"


def changed_layers(one: Path, other: Path) -> set[str]:
    before, after = load_bundle_model(one), load_bundle_model(other)
    return {
        layer.name
        for layer in before.layers
        for mine, theirs in zip(
            layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True
        )
        if not np.array_equal(mine, theirs)
    }


FROZEN = CONFIG.model_copy(update={"epochs": 1, "end": 1.0, "freeze": ("^block[12]_",)})


@pytest.mark.slow
def test_a_frozen_part_is_left_as_it_was_and_the_rest_is_trained(dense, tmp_path):
    document = prune(dense, tmp_path / "bundle", FROZEN)
    assert changed_layers(dense.bundle, tmp_path / "bundle") == {"block3_conv", "head"}
    assert [layer.layer for layer in document.steps[0].sparsity if layer.pruned] == ["block3_conv"]
    assert document.frozen_layers == ModelBundle.read(dense.bundle).frozen_layers


@pytest.mark.slow
def test_what_a_step_freezes_the_next_one_trains(dense, tmp_path):
    prune(dense, tmp_path / "bundle", FROZEN, FROZEN.model_copy(update={"freeze": ()}))
    convolutions = {f"block{number}_conv" for number in (1, 2, 3)}
    assert changed_layers(dense.bundle, tmp_path / "bundle") == {*convolutions, "head"}


@pytest.mark.slow
def test_a_pruned_model_learns_from_its_parent(dense, tmp_path):
    """It begins as its teacher, from which it differs by what was pruned alone."""
    short = CONFIG.model_copy(update={"epochs": 1, "final_sparsity": 0.1, "label_smoothing": 0.4})
    (plain,) = prune(dense, tmp_path / "plain", short).history
    taught = short.model_copy(update={"distillation": Distillation(weight=1.0)})
    document = prune(dense, tmp_path / "taught", taught)
    assert document.history[0].loss < plain.loss / 4
    assert document.steps[0].title == "prune 10 % (distilled)"
