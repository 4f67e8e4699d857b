"""Which epoch of a fine-tuning to keep, where few pictures are there to choose by.

    python tests/examples/emoji.py package emoji.csv --fold 0
    python -m tests.benchmarks.best_epoch emoji.csv

Trains the emoji recipe on some three fifths of the pictures that are not in the list's test
split. Of the others, 90 drawn at random choose an epoch by each rule, and the rest say how
good it is; the mean of 400 draws is printed.

    highest    the highest accuracy, then the lowest loss
    loss       the lowest loss
    kept       what training keeps: `best_epoch`
"""

import argparse
import contextlib
import csv
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.common.documents.bundle import Epoch
from components.common.process.events import Events
from components.common.storage import open_storage
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.tuning import local_weights
from components.common.training.best_epoch import best_epoch
from components.common.training.examples import KeptExamples, keep_examples
from components.common.training.loop import make_deterministic
from components.common.training.session import Session
from components.finetune.fine_tuning import build_model, fine_tune
from pipeline.recipe import load_recipe
from tests.benchmarks.emoji_by_hand import preprocess

CHOOSERS, DRAWS = 90, 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("list", type=Path, help="the .csv file of tests/examples/emoji.py --fold")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        board = train(arguments.list.resolve(), Path(folder))
    for rule, accuracy in compare_rules(board).items():
        print(f"{rule:8} {accuracy:.3f}")


class Board:
    """Takes the place of TensorBoard's files, and keeps each epoch's predictions."""

    def __init__(self, model: Any, judges: KeptExamples, inputs: Any) -> None:
        self.model, self.inputs, self.labels = model, inputs, judges.labels.numpy()
        self.epochs: list[Epoch] = []
        self.probabilities: list[np.ndarray] = []

    def recall(self, epochs: Sequence[Epoch]) -> None:
        pass

    def profiled(self) -> Any:
        return contextlib.nullcontext(lambda count: None)

    def add(self, epoch: Epoch, speed: dict[str, float]) -> None:
        if epoch.phase == "fine_tune":
            self.epochs.append(epoch)
            self.probabilities.append(self.model.predict(self.inputs, verbose=0))
            print(f"epoch {epoch.epoch}: {epoch.validation_accuracy:.3f}", flush=True)


def train(pictures: Path, folder: Path) -> Board:
    path = folder / "selection.csv"
    with pictures.open(encoding="utf-8", newline="") as source, path.open("w", newline="") as file:
        rows = [row for row in csv.DictReader(source) if row["split"] != "test"]
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "split": deal(row["group"])} for row in rows)
    recipe = load_recipe("emoji", [f"data.list={path}"])
    root = folder / "data"
    manifest, storage = preprocess(recipe, root, folder), open_storage(str(root))
    config, spec = recipe.train, BACKBONES[recipe.train.backbone].input_spec(manifest.spec)
    make_deterministic(config.seed)
    splits = {
        split: keep_examples(manifest, split, storage, scratch=folder)
        for split in ("train", "validation")
    }
    weights = str(local_weights(config, folder))
    model = build_model(config, spec, len(manifest.class_names), weights=weights)
    judges = splits["validation"]
    board = Board(model, judges, prepare_inputs(spec)(judges.inputs, None))
    session = Session(
        manifest=manifest, spec=spec, **splits, events=Events("finetune"), board=board
    )
    fine_tune(model, config, session)
    return board


def deal(group: str) -> str:
    number = int(hashlib.md5(group.encode(), usedforsecurity=False).hexdigest(), 16) % 50
    if number == 0:
        return "test"  # Not used, but no split may be empty.
    return "validation" if number < 20 else "train"


def compare_rules(board: Board) -> dict[str, float]:
    """Returns the accuracy, by pictures that had no part in the choice, of each rule's epoch."""
    probabilities, labels = np.stack(board.probabilities), board.labels
    right = probabilities.argmax(2) == labels
    losses = -np.log(np.clip(probabilities[:, np.arange(len(labels)), labels], 1e-7, 1.0))
    random = np.random.default_rng(0)
    found: dict[str, list[float]] = {"highest": [], "loss": [], "kept": []}
    for _ in range(DRAWS):
        chooses = np.zeros(len(labels), bool)
        chooses[random.choice(len(labels), CHOOSERS, replace=False)] = True
        accuracies = right[:, chooses].mean(1)
        mean_losses = losses[:, chooses].mean(1)
        epochs = [
            epoch.model_copy(update={"validation_accuracy": accuracy, "epoch": number})
            for number, (epoch, accuracy) in enumerate(zip(board.epochs, accuracies, strict=True))
        ]
        judged = right[:, ~chooses].mean(1)
        found["highest"].append(judged[np.lexsort((mean_losses, -accuracies))[0]])
        found["loss"].append(judged[mean_losses.argmin()])
        found["kept"].append(judged[best_epoch(epochs, examples=CHOOSERS).epoch])
    return {rule: float(np.mean(accuracies)) for rule, accuracies in found.items()}


if __name__ == "__main__":
    main()
