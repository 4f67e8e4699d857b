"""The emoji example as people write it by hand, on the same split as the recipe's.

    litesmith run emoji --set data.list=emoji.csv
    python -m tests.benchmarks.emoji_by_hand emoji.csv [--seed 0]

Keras' `fit` from memory, without augmentation: 8 epochs of a head on the frozen
backbone, then 8 of all layers but BatchNorm with Adam at 3e-4 on a cosine, then half of the
weights pruned in 8 more; TFLite's converter with 200 pictures to calibrate int8. There
is no validation split by hand: those pictures are trained on too. Prints the accuracy on
the test split after each step, and the seconds of training, to be held against the
run's report.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_model_optimization as tfmot
from ai_edge_litert.interpreter import Interpreter

from components.common.documents.dataset import DatasetManifest
from components.common.keras import keras, tf
from components.common.run_context import RunContext
from components.common.storage import open_storage
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.tuning import local_weights
from components.common.training.examples import keep_examples
from components.finetune.fine_tuning import build_model, freeze_backbone, unfreeze_top
from components.preprocess import stage
from pipeline.recipe import Recipe, load_recipe

EPOCHS, BATCH, RATE = 8, 32, 3e-4

Pictures = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path, help="the .csv file of tests/examples/emoji.py")
    parser.add_argument("--data-root", type=Path, default=Path("litesmith-data"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    recipe = load_recipe("emoji", [f"data.list={arguments.list}"])
    with tempfile.TemporaryDirectory() as folder:
        manifest = preprocess(recipe, arguments.data_root.resolve(), Path(folder))
        train_by_hand(recipe, manifest, arguments.data_root, Path(folder), arguments.seed)


def preprocess(recipe: Recipe, data_root: Path, folder: Path) -> DatasetManifest:
    """Returns the data set of the recipe's run, from the store where it is there."""
    context = RunContext(
        run_id="by-hand",
        recipe_name=recipe.name,
        data_root=str(data_root),
        registry=str(folder / "registry"),
    )
    stage.declare_stage().run(
        config=recipe.data.to_json(), context=context.to_json(), dataset=folder / "dataset"
    )
    return DatasetManifest.read(folder / "dataset")


def train_by_hand(
    recipe: Recipe, manifest: DatasetManifest, data_root: Path, folder: Path, seed: int
) -> None:
    """Trains, prunes and converts; prints what each step came to."""
    keras.utils.set_random_seed(seed)
    spec = BACKBONES[recipe.train.backbone].input_spec(manifest.spec)
    prepare, storage = prepare_inputs(spec), open_storage(str(data_root))
    splits = {
        split: keep_examples(manifest, split, storage, scratch=folder) for split in manifest.splits
    }
    inputs = {split: prepare(kept.inputs, None).numpy() for split, kept in splits.items()}
    labels = {split: kept.labels.numpy() for split, kept in splits.items()}
    x = np.concatenate([inputs["train"], inputs["validation"]])
    y = np.concatenate([labels["train"], labels["validation"]])
    print(f"{len(x)} pictures to train on, {len(labels['test'])} to test on")

    def fit(model: Any, optimizer: Any, callbacks: Any = ()) -> None:
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        started = time.monotonic()
        model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
        print(f"{EPOCHS} epochs in {time.monotonic() - started:.0f} s")

    def report(step: str, probabilities: Pictures) -> None:
        accuracy = np.mean(probabilities.argmax(1) == labels["test"])
        print(f"{step:22} {accuracy:.3f}", flush=True)

    def falling_rate() -> Any:
        steps = EPOCHS * -(-len(x) // BATCH)
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))

    weights = local_weights(recipe.train, folder)
    model = build_model(recipe.train, spec, len(manifest.class_names), weights=str(weights))
    freeze_backbone(model)
    fit(model, keras.optimizers.Adam())
    report("frozen", model.predict(inputs["test"], verbose=0))
    assert recipe.train.unfreeze is not None
    unfreeze_top(model, recipe.train.unfreeze)
    fit(model, falling_rate())
    report("float32", model.predict(inputs["test"], verbose=0))
    report("int8", classify(convert_int8(model, x), inputs["test"]))
    end = EPOCHS * -(-len(x) // BATCH)
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.5, begin_step=0, end_step=end // 2)
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    fit(wrapped, falling_rate(), [tfmot.sparsity.keras.UpdatePruningStep()])
    pruned = tfmot.sparsity.keras.strip_pruning(wrapped)
    report("half pruned, float32", pruned.predict(inputs["test"], verbose=0))
    report("half pruned, int8", classify(convert_int8(pruned, x), inputs["test"]))


def convert_int8(model: Any, pictures: Pictures) -> bytes:
    """Converts with float32 input and output, as the converter's documentation has it."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def representative_dataset() -> Iterator[list[Pictures]]:
        yield from ([picture[None]] for picture in pictures[:200])

    converter.representative_dataset = representative_dataset
    return bytes(converter.convert())


def classify(data: bytes, pictures: Pictures) -> Pictures:
    """Returns the probabilities [n, classes] that LiteRT gives."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for picture in pictures:
        interpreter.set_tensor(taken["index"], picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"])[0])
    return np.stack(found)


if __name__ == "__main__":
    main()
