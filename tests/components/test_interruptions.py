"""Training that is interrupted and resumed ends with the weights of an undisturbed one.

The same tests run for each task: pictures on a small network, texts on a small encoder.
"""

import dataclasses
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.digests import tree_digest
from components.common.documents.bundle import Epoch, ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.variant import StepSpec
from components.common.keras import keras
from components.common.models.bundles import load_bundle_model
from components.common.process.events import Events
from components.common.process.termination import TERMINATED, Terminated
from components.common.run_context import RunContext
from components.common.storage import LocalStorage
from components.common.training.checkpoints import Checkpoints
from components.common.training.examples import open_examples
from components.common.training.loop import make_deterministic
from components.common.training.resumption import Attempt
from components.common.training.session import Session
from components.compress import stage as compress_stage
from components.compress.config import VariantConfig
from components.compress.steps import prune
from components.finetune import stage as finetune_stage
from components.finetune.config import FinetuneConfig, TextFinetuneConfig, TrainConfig
from components.finetune.fine_tuning import build_model, fine_tune
from components.preprocess import stage as preprocess_stage
from components.preprocess.config import PreprocessConfig
from tests.builders.compression import fine_tune_dense
from tests.builders.encoders import make_encoder
from tests.builders.synthetic import run_context
from tests.fakes.termination import Deadline

SIGNALS = 8
"""So many moments of a stage, one in each eighth of it."""
EXAMPLES = {"train": 40, "validation": 24, "test": 6}
OPTIMIZER = {"learning_rate": 1e-2, "name": "adamw", "warmup_epochs": 0.5}
BRISK = {"global_batch_size": 8, "optimizer": {"learning_rate": 1e-3}}
"""Many steps, as stages take them."""
PRUNING = {"final_sparsity": 0.6, "epochs": 5, "frequency": 2, "global_batch_size": 16}


@dataclasses.dataclass(frozen=True)
class Work:
    """A task's data set and a dense bundle to start from, and what is trained on them.

    Attributes:
      weights: what fine-tuning begins with.
      tuned: all phases of fine-tuning: dropout, warm-up, patience.
      tuned_long: the same for a stage that signals come to.
      augment: what pruning does to examples.
      frozen: layers that pruning below a teacher leaves as they are.
    """

    context: RunContext
    manifest: DatasetManifest
    folder: Path
    weights: str
    tuned: TrainConfig
    tuned_long: TrainConfig
    augment: Mapping[str, Any]
    frozen: tuple[str, ...]

    def session(self, attempt: Attempt) -> Session:
        splits = {
            split: open_examples(self.manifest, split, self.context.data(), scratch=self.folder)
            for split in ("train", "validation")
        }
        return Session(
            manifest=self.manifest,
            spec=self._bundle().input,
            **splits,
            events=Events("test"),
            attempt=attempt,
            load_parent=self._load,
        )

    def fine_tune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """A head on computed features, then what is below."""
        make_deterministic(self.tuned.seed)
        classes = len(self.manifest.class_names)
        model = build_model(self.tuned, self._bundle().input, classes, weights=self.weights)
        history, *_ = fine_tune(model, self.tuned, self.session(attempt))
        return model, history

    def prune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        return self._prune(attempt)

    def distil(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """Pruning with shares of each layer's own, below a teacher."""
        return self._prune(attempt, shares="lamp", distillation={}, freeze=self.frozen)

    def _prune(self, attempt: Attempt, **own: Any) -> tuple[keras.Model, tuple[Epoch, ...]]:
        settings = prune.Settings(augment=self.augment, **PRUNING, **own)
        make_deterministic(settings.seed)
        pruned = prune.apply(self._load(), settings, self.session(attempt))
        return pruned.model, pruned.history

    def _bundle(self) -> ModelBundle:
        return ModelBundle.read(self.folder / "bundle")

    def _load(self) -> keras.Model:
        return load_bundle_model(self.folder / "bundle")


def picture_work(folder: Path) -> Work:
    dense = fine_tune_dense(folder, width=0.25, epochs=3, examples=EXAMPLES)
    model = load_bundle_model(dense.bundle)
    weights = str(folder / "weights.h5")
    keras.Model(model.input, model.get_layer("pool").input).save_weights(weights)
    common = {"backbone": "small_cnn", "width": 0.25, "weights": weights, "dropout": 0.3}
    tuned = {
        "epochs": 2,
        "unfreeze": {"epochs": 3, "learning_rate": 1e-3},
        "optimizer": OPTIMIZER,
        "early_stopping_patience": 2,
        "global_batch_size": 16,
    }
    tuned_long = {
        "epochs": 10,
        "unfreeze": {"epochs": 30, "learning_rate": 1e-3},
        "augment": {"shift": 0.1, "flip": True},
    }
    return Work(
        dense.context,
        DatasetManifest.read(dense.dataset),
        folder,
        weights=weights,
        tuned=FinetuneConfig(**common, **tuned),
        tuned_long=FinetuneConfig(**common, **tuned_long, **BRISK),
        augment={"zoom": 0.1},
        frozen=("block1_",),
    )


def text_work(folder: Path) -> Work:
    """Texts whose class is a word's, on an encoder whose head and adapters learn."""
    encoder, context = str(make_encoder("minilm").write(folder / "encoder")), run_context(folder)
    texts, chance = folder / "texts.jsonl", random.Random(0)
    with texts.open("w") as file:
        for split, count in EXAMPLES.items():
            for number in range(count):
                label = ("bad", "good")[number % 2]
                words = [label, *chance.choices(("film", "fair", "the", "was"), k=4), split]
                row = {"text": f"{' '.join(words)} {number}", "label": label, "split": split}
                file.write(json.dumps(row) + "\n")
    data = PreprocessConfig.model_validate(
        {"text": {"length": 12}, "encoder": encoder, "list": str(texts)}
    )
    told = {"context": context.to_json(), "dataset": folder / "dataset"}
    preprocess_stage.declare_stage().run(config=data.to_json(), **told)
    common = {"encoder": encoder, "dropout": 0.3}
    finetune_stage.STAGE.run(
        config=TextFinetuneConfig(**common, unfreeze={"epochs": 1}).to_json(),
        bundle=folder / "bundle",
        **told,
    )
    tuned = {
        "epochs": 2,
        "fit_head_up_to": 0,
        "lora": {"rank": 2, "epochs": 3, "learning_rate": 1e-2},
        "optimizer": OPTIMIZER,
        "early_stopping_patience": 2,
        "global_batch_size": 16,
    }
    tuned_long = {"lora": {"rank": 2, "epochs": 30, "learning_rate": 1e-3}}
    return Work(
        context,
        DatasetManifest.read(folder / "dataset"),
        folder,
        weights=encoder,
        tuned=TextFinetuneConfig(**common, **tuned),
        tuned_long=TextFinetuneConfig(**common, **tuned_long, **BRISK),
        augment={},
        frozen=("layer0_",),
    )


WORKS: Mapping[str, Callable[[Path], Work]] = {"pictures": picture_work, "texts": text_work}


@pytest.fixture(scope="module", params=WORKS)
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Work:
    return WORKS[request.param](tmp_path_factory.mktemp("work"))


Train = Callable[[Work, Attempt], tuple[keras.Model, tuple[Epoch, ...]]]
TRAININGS = [Work.fine_tune, Work.prune, Work.distil]


def assert_same(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    assert one[1] == other[1]
    for mine, theirs in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def interrupt(train: Train, work: Work, checkpoints: Checkpoints, looks: range) -> int:
    """Trains in attempts, each stopped after a few looks; returns how many were stopped."""
    random_looks = random.Random(train.__name__)
    for stopped in range(100):
        deadline = Deadline(random_looks.choice(looks))
        try:
            train(work, Attempt(checkpoints, termination=deadline))
        except Terminated:
            continue
        return stopped
    raise AssertionError("it never comes to an end")


@pytest.mark.slow
@pytest.mark.parametrize("train", TRAININGS, ids=lambda train: train.__name__)
def test_an_interrupted_training_ends_as_an_undisturbed_one(train: Train, work, tmp_path):
    undisturbed = train(work, Attempt())
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    assert interrupt(train, work, checkpoints, range(2, 8)) >= 2
    # Everything is known to be done: nothing is trained a second time.
    rest = Deadline(None)
    assert_same(train(work, Attempt(checkpoints, termination=rest)), undisturbed)
    assert rest.seen == 0


@pytest.mark.slow
def test_a_truncated_newest_state_costs_steps_and_nothing_else(work, tmp_path):
    undisturbed = work.fine_tune(Attempt())
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    with pytest.raises(Terminated):
        # Kept after each step, as by a clock that runs fast.
        work.fine_tune(Attempt(checkpoints, interval_s=-1e9, termination=Deadline(9)))
    newest = sorted((tmp_path / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert_same(work.fine_tune(Attempt(checkpoints)), undisturbed)


class Stages:
    """Runs stages in processes of their own, forked after TensorFlow was imported."""

    def __init__(self, work: Work, stage: str, folder: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        # By what they define, for the server passes over a module that it does not find.
        defined = (load_bundle_model, Checkpoints, make_deterministic, fine_tune)
        modules = [prune.__name__, *(each.__module__ for each in defined)]
        self._context.set_forkserver_preload(modules)
        self._work, self._stage, self._folder = work, stage, folder

    def root(self, name: str) -> Path:
        """Makes a data root that has nothing but the shards."""
        root = self._folder / name
        if not root.exists():
            root.mkdir()
            (root / "shards").symlink_to(Path(self._work.context.data_root, "shards"))
        return root

    def start(self, name: str):
        """Starts the stage on a data root; its output has the same name."""
        context = self._work.context.model_copy(update={"data_root": str(self.root(name))})
        common = {"dataset": self._work.folder / "dataset", "context": context.to_json()}
        output = self._folder / f"{name}-output"
        if self._stage == "finetune":
            config: TrainConfig | VariantConfig = self._work.tuned_long
            run, arguments = finetune_stage.STAGE.run, {**common, "bundle": output}
        else:
            settings = prune.Settings(epochs=30, augment=self._work.augment, **BRISK)
            step = StepSpec(kind="prune", settings=settings.model_dump(mode="json"))
            config = VariantConfig(steps=(step,))
            arguments = {**common, "parent": self._work.folder / "bundle", "bundle": output}
            run = compress_stage.STAGE.run
        process = self._context.Process(
            target=run, kwargs={**arguments, "config": config.to_json()}
        )
        process.start()
        return process

    def digest(self, name: str) -> str:
        return tree_digest(self._folder / f"{name}-output")


def stratified_shares(seed: str) -> Iterator[float]:
    """Yields shares of [0, 1) without end, one from each of SIGNALS equal parts in each round."""
    shares = random.Random(seed)
    while True:
        for part in shares.sample(range(SIGNALS), SIGNALS):
            yield (part + shares.random()) / SIGNALS


@pytest.mark.slow
@pytest.mark.parametrize("work", ["pictures"], indirect=True)
@pytest.mark.parametrize("stage", ["finetune", "compress"])
def test_signals_at_any_moment_change_nothing(stage, work, tmp_path):
    """Real signals to real processes, from the first moment of a stage to its last."""
    stages = Stages(work, stage, tmp_path)
    stages.start("warm-up").join()  # Imports.
    started = time.monotonic()
    process = stages.start("undisturbed")
    process.join()
    length = time.monotonic() - started
    assert process.exitcode == 0

    moments, signals, saved = stratified_shares(stage), 0, 0
    for name in map(str, range(SIGNALS)):
        while (process := stages.start(name)) is not None:
            process.join(next(moments) * length)
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGTERM)
                signals += 1
            process.join()
            if process.exitcode == 0:
                break
            # Before and after the training it has nothing to save, and just ends.
            assert process.exitcode in (TERMINATED, -signal.SIGTERM)
            if process.exitcode == TERMINATED:
                assert list(stages.root(name).glob(f"checkpoints/{stage}/**/*.npz"))
                saved += 1
        assert stages.digest(name) == stages.digest("undisturbed")
        assert not list(stages.root(name).glob("checkpoints/**/*.npz"))
        if signals >= SIGNALS:
            break
    assert signals >= SIGNALS
    assert saved >= 2
