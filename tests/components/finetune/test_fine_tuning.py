"""What is trained in which phase, and what a frozen layer keeps."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from components.common.documents.bundle import Epoch
from components.common.keras import keras
from components.common.process.events import Events
from components.common.tasks.image.config import Augment
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.training.clock import Clock
from components.common.training.examples import MEMORY_BYTES, open_examples
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.phases import Data
from components.common.training.session import Session
from components.finetune import fine_tuning
from components.finetune.config import FinetuneConfig, Unfreeze
from components.finetune.fine_tuning import (
    backbone_layers,
    build_model,
    fine_tune,
    freeze_backbone,
    unfreeze_top,
)
from tests.builders.synthetic import run_context, write_dataset

# What they share is made once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fine_tuning")]


@dataclasses.dataclass(frozen=True)
class Pictures:
    manifest: Any
    splits: dict[str, Any]
    streamed: dict[str, Any]
    """The same, as if they were too many for memory."""
    weights: str
    """A file of small_cnn's weights, so that there is something to freeze."""

    @property
    def config(self) -> FinetuneConfig:
        return FinetuneConfig(
            backbone="small_cnn",
            width=0.25,
            weights=self.weights,
            epochs=2,
            unfreeze=Unfreeze(epochs=2, learning_rate=1e-3),
            optimizer={"learning_rate": 1e-2},
        )

    def spec(self):
        return BACKBONES["small_cnn"].input_spec(self.manifest.spec)

    def build(self, config: FinetuneConfig) -> keras.Model:
        make_deterministic(config.seed)
        return build_model(config, self.spec(), 3, weights=config.weights)

    def train(self, config: FinetuneConfig) -> tuple[keras.Model, tuple[Epoch, ...]]:
        model, history, _ = self.train_by_the_clock(config)
        return model, history

    def train_by_the_clock(
        self, config: FinetuneConfig
    ) -> tuple[keras.Model, tuple[Epoch, ...], Clock]:
        model = self.build(config)
        session = Session(
            manifest=self.manifest, spec=self.spec(), **self.splits, events=Events("test")
        )
        history, _, clock = fine_tune(model, config, session)
        return model, history, clock


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    context = run_context(folder)
    examples = {"train": 48, "validation": 24, "test": 3}
    manifest = write_dataset(context, folder / "manifest", examples=examples)
    splits, streamed = (
        {
            split: open_examples(
                manifest, split, context.data(), scratch=folder, memory_bytes=memory_bytes
            )
            for split in ("train", "validation")
        }
        for memory_bytes in (MEMORY_BYTES, 0)
    )
    untrained = Pictures(manifest, splits, streamed, "none")
    config = untrained.config.model_copy(update={"unfreeze": None, "epochs": 5})
    model, _ = untrained.train(config)
    path = str(folder / "weights.h5")
    keras.Model(model.input, model.get_layer("pool").input).save_weights(path)
    return Pictures(manifest, splits, streamed, path)


@dataclasses.dataclass(frozen=True)
class Trained:
    """What the pictures' own configuration comes to."""

    model: keras.Model
    history: tuple[Epoch, ...]
    clock: Clock


@pytest.fixture(scope="module")
def whole(pictures: Pictures) -> Trained:
    """The head trained, then all layers."""
    return Trained(*pictures.train_by_the_clock(pictures.config))


@pytest.fixture(scope="module")
def head_only(pictures: Pictures) -> Trained:
    config = pictures.config.model_copy(update={"unfreeze": None})
    return Trained(*pictures.train_by_the_clock(config))


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.name: weight.numpy() for weight in model.weights}


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_the_head_is_trained_first_and_then_all_but_the_norms(pictures, head_only, whole):
    start = weights_of(pictures.build(pictures.config))
    assert changed(start, weights_of(head_only.model)) == {"head/kernel:0", "head/bias:0"}
    assert [epoch.phase for epoch in head_only.history] == ["head", "head"]

    moved = changed(start, weights_of(whole.model))
    assert {"block1_conv/kernel:0", "block3_conv/kernel:0", "head/kernel:0"} <= moved
    assert not any("norm" in name for name in moved)
    assert [epoch.phase for epoch in whole.history] == ["head"] * 2 + ["fine_tune"] * 2
    assert [epoch.epoch for epoch in whole.history] == [1, 2, 3, 4]


def test_a_backbone_without_weights_is_trained_whole(pictures):
    config = pictures.config.model_copy(update={"weights": "none", "unfreeze": None})
    start = weights_of(pictures.build(config))
    model, history = pictures.train(config)
    assert changed(start, weights_of(model)) == set(start)
    assert {epoch.phase for epoch in history} == {"fine_tune"}


def test_features_computed_once_train_the_head_as_the_whole_model_would(pictures, head_only):
    config = pictures.config.model_copy(update={"unfreeze": None})
    slow = pictures.build(config)
    freeze_backbone(slow)
    prepare = prepare_inputs(pictures.spec())
    counts = pictures.manifest.splits["train"].examples_per_class
    (phase,) = fine_tuning._phases(config, counts)
    history = run_phase(
        slow,
        phase,
        Data(**pictures.splits, prepare_train=prepare, prepare=prepare),
        Clock(Events("test"), total_steps=4),
    )
    for one, other in zip(head_only.history, history, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
    for one, other in zip(head_only.model.get_weights(), slow.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_live_view_tells_how_many_features_are_computed(pictures, capsys):
    pictures.train(pictures.config.model_copy(update={"unfreeze": None, "epochs": 1}))
    assert "progress done=72 total=72 unit=examples note=computing features" in (
        capsys.readouterr().out
    )


def test_features_of_pictures_that_are_not_kept_are_the_same(pictures, head_only):
    config = pictures.config.model_copy(update={"unfreeze": None})
    streaming = dataclasses.replace(pictures, splits=pictures.streamed)
    streamed, history = streaming.train(config)
    assert head_only.history == history
    assert changed(weights_of(head_only.model), weights_of(streamed)) == set()


def test_features_too_many_for_memory_are_not_kept(pictures, head_only, monkeypatch):
    config = pictures.config.model_copy(update={"unfreeze": None})
    monkeypatch.setattr(fine_tuning, "MEMORY_BYTES", 0)
    _, computed = pictures.train(config)
    assert [epoch.loss for epoch in computed] == pytest.approx(
        [e.loss for e in head_only.history], rel=1e-4
    )


def test_augmented_pictures_are_seen_anew_in_every_epoch(pictures, head_only):
    told = {"unfreeze": None, "augment": Augment(shift=0.2)}
    augmented, _ = pictures.train(pictures.config.model_copy(update=told))
    assert changed(weights_of(head_only.model), weights_of(augmented)) == {
        "head/kernel:0",
        "head/bias:0",
    }


def test_augmentation_waits_for_the_layers_that_learn_from_it(pictures, whole):
    augmented = pictures.config.model_copy(update={"augment": Augment(shift=0.2)})
    _, shifted = pictures.train(augmented)
    assert whole.history[:2] == shifted[:2]
    assert whole.history[2].loss != shifted[2].loss


def test_the_speed_is_that_of_the_last_phase_and_the_time_that_of_all(whole):
    clock = whole.clock
    assert (clock.steps, clock.total_steps, clock.examples) == (4, 4, 96)
    assert clock.training_s > clock.seconds


def test_the_top_share_of_the_layers_is_unfrozen(pictures):
    model = pictures.build(pictures.config)
    names = [layer.name for layer in backbone_layers(model)]
    assert names == [f"block{n}_{part}" for n in (1, 2, 3) for part in ("conv", "norm")]
    unfreeze_top(model, Unfreeze(epochs=1, layers=0.5))
    trained = [layer.name for layer in backbone_layers(model) if layer.trainable]
    assert trained == ["block3_conv"]
    unfreeze_top(model, Unfreeze(epochs=1, layers=0.7))
    trained = [layer.name for layer in backbone_layers(model) if layer.trainable]
    assert trained == ["block2_conv", "block3_conv"]


def test_a_second_phase_that_spoils_the_model_is_undone(pictures):
    spoiled = pictures.config.model_copy(
        update={"unfreeze": Unfreeze(epochs=1, learning_rate=100.0), "epochs": 4}
    )
    model, history = pictures.train(spoiled)
    head_only, _ = pictures.train(spoiled.model_copy(update={"unfreeze": None}))
    assert history[4].validation_accuracy < 0.6 < max(e.validation_accuracy for e in history[:4])
    assert changed(weights_of(head_only), weights_of(model)) == set()


def test_a_backbone_trained_from_nothing_does_as_well_in_use_as_in_training(tmp_path):
    """Some 30 steps: what the slowest moving averages of BatchNorm, MobileNetV2's, don't notice."""
    context = run_context(tmp_path)
    examples = {"train": 96, "validation": 96, "test": 3}
    manifest = write_dataset(context, tmp_path / "manifest", examples=examples, size=32, channels=3)
    train = open_examples(manifest, "train", context.data(), scratch=tmp_path)
    config = FinetuneConfig(backbone="mobilenet_v2", width=0.35, epochs=10, dropout=0.0)
    spec = BACKBONES["mobilenet_v2"].input_spec(manifest.spec)
    make_deterministic(config.seed)
    model = build_model(config, spec, 3, weights="none")
    # Judged by the very pictures that it is trained on.
    session = Session(
        manifest=manifest, spec=spec, train=train, validation=train, events=Events("test")
    )
    history, best, _ = fine_tune(model, config, session)
    kept = history[best - 1]
    assert kept.accuracy > 0.6
    assert kept.validation_accuracy > kept.accuracy - 0.1
