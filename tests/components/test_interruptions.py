"""Training that is interrupted and resumed ends with the weights of an undisturbed one."""

import dataclasses
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.digests import tree_digest
from components.common.documents.bundle import Epoch
from components.common.documents.dataset import DatasetManifest
from components.common.documents.variant import StepSpec
from components.common.keras import keras
from components.common.models.bundles import load_bundle_model
from components.common.process.events import Events
from components.common.process.termination import TERMINATED, Terminated
from components.common.run_context import RunContext
from components.common.storage import LocalStorage
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.training.checkpoints import Checkpoints
from components.common.training.examples import open_examples
from components.common.training.loop import make_deterministic
from components.common.training.resumption import Attempt
from components.common.training.session import Session
from components.compress import stage as compress_stage
from components.compress.config import VariantConfig
from components.compress.steps import prune
from components.finetune import stage as finetune_stage
from components.finetune.config import FinetuneConfig, Unfreeze
from components.finetune.fine_tuning import build_model, fine_tune
from tests.builders.compression import fine_tune_dense
from tests.fakes.termination import Deadline

SIGNALS = 8
"""So many moments of a stage, one in each eighth of it."""
EXAMPLES = {"train": 40, "validation": 24, "test": 6}


@dataclasses.dataclass(frozen=True)
class Work:
    """A data set, and a dense bundle of a backbone's weights to start from."""

    context: RunContext
    manifest: DatasetManifest
    folder: Path
    weights: str

    def session(self, attempt: Attempt) -> Session:
        splits = {
            split: open_examples(self.manifest, split, self.context.data(), scratch=self.folder)
            for split in ("train", "validation")
        }
        spec = BACKBONES["small_cnn"].input_spec(self.manifest.spec)
        events = Events("test")
        return Session(
            manifest=self.manifest,
            spec=spec,
            **splits,
            events=events,
            attempt=attempt,
            load_parent=self._load,
        )

    def fine_tune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """Head on computed features, then all layers: dropout, warm-up, patience."""
        config = FinetuneConfig(
            backbone="small_cnn",
            width=0.25,
            weights=self.weights,
            epochs=2,
            dropout=0.3,
            unfreeze=Unfreeze(epochs=3, learning_rate=1e-3),
            optimizer={"learning_rate": 1e-2, "name": "adamw", "warmup_epochs": 0.5},
            early_stopping_patience=2,
            global_batch_size=16,
        )
        make_deterministic(config.seed)
        spec = BACKBONES["small_cnn"].input_spec(self.manifest.spec)
        model = build_model(config, spec, 3, weights=config.weights)
        history, *_ = fine_tune(model, config, self.session(attempt))
        return model, history

    def prune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        return self._prune(attempt)

    def distil(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """Pruning with shares of each layer's own, below a teacher."""
        return self._prune(attempt, shares="lamp", distillation={}, freeze=("block1_",))

    def _prune(self, attempt: Attempt, **own: Any) -> tuple[keras.Model, tuple[Epoch, ...]]:
        common = {"epochs": 5, "frequency": 2, "global_batch_size": 16, "augment": {"zoom": 0.1}}
        settings = prune.Settings(final_sparsity=0.6, **common, **own)
        make_deterministic(settings.seed)
        pruned = prune.apply(self._load(), settings, self.session(attempt))
        return pruned.model, pruned.history

    def _load(self) -> keras.Model:
        return load_bundle_model(self.folder / "bundle")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("work")
    dense = fine_tune_dense(folder, width=0.25, epochs=3, examples=EXAMPLES)
    manifest = DatasetManifest.read(dense.dataset)
    model = load_bundle_model(dense.bundle)
    weights = str(folder / "weights.h5")
    keras.Model(model.input, model.get_layer("pool").input).save_weights(weights)
    return Work(dense.context, manifest, folder, weights)


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
        training = {"global_batch_size": 8, "optimizer": {"learning_rate": 1e-3}}
        common = {"dataset": self._work.folder / "dataset", "context": context.to_json()}
        output = self._folder / f"{name}-output"
        if self._stage == "finetune":
            config = FinetuneConfig(
                backbone="small_cnn",
                width=0.25,
                weights=self._work.weights,
                epochs=10,
                dropout=0.3,
                augment={"shift": 0.1, "flip": True},
                unfreeze=Unfreeze(epochs=30, learning_rate=1e-3),
                **training,
            )
            run, arguments = finetune_stage.STAGE.run, {**common, "bundle": output}
        else:
            settings = prune.Settings(epochs=30, augment={"zoom": 0.1}, **training)
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
