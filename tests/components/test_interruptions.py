"""Training that is interrupted and resumed ends with the weights of an undisturbed one."""

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.bundles import load_bundle_model
from components.common.checkpoints import Checkpoints
from components.common.digests import tree_digest
from components.common.documents import DatasetManifest, Epoch
from components.common.events import Events
from components.common.input_pipeline import open_examples
from components.common.keras import keras
from components.common.resumption import Attempt
from components.common.run_context import RunContext
from components.common.storage import LocalStorage
from components.common.termination import TERMINATED, Terminated
from components.common.training import make_deterministic
from components.finetune import stage as finetune_stage
from components.finetune.backbones import BACKBONES
from components.finetune.config import FinetuneConfig, Unfreeze
from components.finetune.fine_tuning import build_model, fine_tune
from components.prune.config import PruneConfig
from components.prune.pruning import prune_model
from tests.synthetic import run_context, write_dataset

EXAMPLES = {"train": 40, "validation": 24, "test": 6}


class Deadline:
    """Stands for SIGTERM that comes at the n-th look of a training, counted from 0."""

    def __init__(self, look: int | None) -> None:
        self.look = look
        self.seen = 0

    @property
    def requested(self) -> bool:
        self.seen += 1
        return self.look is not None and self.seen > self.look

    def deferred(self):
        return contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Work:
    """A data set, and a dense bundle of a backbone's weights to start from."""

    context: RunContext
    manifest: DatasetManifest
    folder: Path
    weights: str

    def splits(self) -> dict[str, Any]:
        return {
            split: open_examples(self.manifest, split, self.context.data(), scratch=self.folder)
            for split in ("train", "validation")
        }

    def fine_tune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """Head on computed features, then all layers: dropout, balanced classes, patience."""
        return self._fine_tune(attempt, augment={})

    def fine_tune_augmented(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        return self._fine_tune(attempt, augment={"shift": 0.1, "flip": True})

    def _fine_tune(self, attempt: Attempt, augment: dict[str, Any]):
        config = FinetuneConfig(
            backbone="small_cnn",
            width=0.25,
            weights=self.weights,
            epochs=2,
            dropout=0.3,
            unfreeze=Unfreeze(epochs=3, learning_rate=1e-3),
            optimizer={"learning_rate": 1e-2, "name": "adamw", "warmup_epochs": 0.5},
            augment=augment,
            early_stopping_patience=2,
            global_batch_size=16,
        )
        make_deterministic(config.seed)
        spec = BACKBONES["small_cnn"].input_spec(self.manifest.image)
        model = build_model(config, spec, 3, weights=config.weights)
        history, _ = fine_tune(
            model,
            config,
            spec,
            self.manifest,
            **self.splits(),
            events=Events("test"),
            attempt=attempt,
        )
        return model, history

    def prune(self, attempt: Attempt) -> tuple[keras.Model, tuple[Epoch, ...]]:
        config = PruneConfig(
            final_sparsity=0.6, epochs=5, frequency=2, global_batch_size=16, augment={"zoom": 0.1}
        )
        make_deterministic(config.seed)
        spec = BACKBONES["small_cnn"].input_spec(self.manifest.image)
        model = load_bundle_model(self.folder / "bundle")
        pruned = prune_model(
            model, config, spec, **self.splits(), events=Events("test"), attempt=attempt
        )
        return pruned.model, pruned.history


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("work")
    context = run_context(folder)
    manifest = write_dataset(context, folder / "dataset", examples=EXAMPLES)
    config = FinetuneConfig(
        backbone="small_cnn", width=0.25, epochs=3, optimizer={"learning_rate": 3e-3}
    )
    finetune_stage.run(
        dataset=folder / "dataset",
        config=config.to_json(),
        context=context.to_json(),
        bundle=folder / "bundle",
    )
    model = load_bundle_model(folder / "bundle")
    weights = str(folder / "weights.h5")
    keras.Model(model.input, model.get_layer("pool").input).save_weights(weights)
    return Work(context, manifest, folder, weights)


Train = Callable[[Work, Attempt], tuple[keras.Model, tuple[Epoch, ...]]]
TRAININGS = [Work.fine_tune, Work.fine_tune_augmented, Work.prune]
QUICK = [Work.fine_tune, Work.prune]


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


@pytest.mark.parametrize("train", QUICK, ids=lambda train: train.__name__)
def test_an_interrupted_training_ends_as_an_undisturbed_one(train: Train, work, tmp_path):
    undisturbed = train(work, Attempt())
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    assert interrupt(train, work, checkpoints, range(5, 10)) >= 2
    # Everything is known to be done: nothing is trained a second time.
    rest = Deadline(None)
    assert_same(train(work, Attempt(checkpoints, termination=rest)), undisturbed)
    assert rest.seen == 0


@pytest.mark.slow
@pytest.mark.parametrize("train", TRAININGS, ids=lambda train: train.__name__)
def test_twenty_interruptions_change_nothing(train: Train, work, tmp_path):
    undisturbed = train(work, Attempt())
    stopped = 0
    for number in range(9):
        checkpoints = Checkpoints(LocalStorage(str(tmp_path)), f"checkpoints/{number}")
        stopped += interrupt(train, work, checkpoints, range(1, 8))
        assert_same(train(work, Attempt(checkpoints)), undisturbed)
        if stopped >= 20:
            return
    raise AssertionError(f"only {stopped} interruptions")


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


def run_stage(work: Work, stage: str, context: RunContext, output: Path) -> subprocess.Popen:
    """Starts a stage as a process of its own; its epochs are many, so that it takes a while."""
    training = {"epochs": 40, "global_batch_size": 8, "optimizer": {"learning_rate": 1e-3}}
    if stage == "finetune":
        config = FinetuneConfig(backbone="small_cnn", width=0.25, **training).to_json()
        inputs, output_name = f"dataset=Path({str(work.folder / 'dataset')!r})", "bundle"
    else:
        config = PruneConfig(**training).to_json()
        inputs = (
            f"dataset=Path({str(work.folder / 'dataset')!r}), "
            f"bundle=Path({str(work.folder / 'bundle')!r})"
        )
        output_name = "pruned"
    program = (
        f"from pathlib import Path; from components.{stage} import stage; "
        f"stage.run({inputs}, config={config!r}, context={context.to_json()!r}, "
        f"{output_name}=Path({str(output)!r}))"
    )
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_training(process: subprocess.Popen) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "progress" in line:
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["finetune", "prune"])
def test_sigterm_at_any_moment_loses_nothing(stage, work, tmp_path):
    """Real processes and signals: as many as it takes, for as long as it takes to train."""
    elsewhere = {}
    for name in ("undisturbed", "disturbed"):
        root = tmp_path / name
        root.mkdir()
        (root / "shards").symlink_to(Path(work.context.data_root, "shards"))
        elsewhere[name] = work.context.model_copy(update={"data_root": str(root)})
    process = run_stage(work, stage, elsewhere["undisturbed"], tmp_path / "one")
    process.communicate()
    assert process.returncode == 0

    moments, interrupted = random.Random(stage), 0
    while True:
        process = run_stage(work, stage, elsewhere["disturbed"], tmp_path / "other")
        if interrupted < 4:
            wait_for_training(process)
            time.sleep(moments.uniform(0.0, 0.3))
            process.send_signal(signal.SIGTERM)
        process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == TERMINATED
        assert list((tmp_path / "disturbed" / "checkpoints" / stage).glob("*/*.npz"))
        interrupted += 1
    assert interrupted >= 2
    assert tree_digest(tmp_path / "one") == tree_digest(tmp_path / "other")
    assert not list((tmp_path / "disturbed" / "checkpoints").rglob("*.npz"))
