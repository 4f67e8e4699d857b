"""The training input pipeline against the same model fed from memory.

A frozen MobileNetV2 with a new head is trained at 96 pixels: the step is as short as
training gets, so that the input pipeline has the least time to hide in. In each round
every way trains one epoch with the same compiled step, in turns; the figure is the
median over the rounds of a way's rate divided by memory's in the same round.

    memory     prepared float32 batches that lie in memory
    pipeline   ours, decoded pictures kept in memory
    augmented  the same with flip and zoom
    streamed   ours, every picture read and decoded anew
    generator  Keras' ImageDataGenerator from the same arrays, with the same flip and zoom

    python -m tests.benchmarks.input_pipeline
"""

import argparse
import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import InputSpec
from components.common.keras import keras
from components.common.storage import open_storage
from components.common.tasks.image.config import Augment
from components.common.tasks.image.features import Example, encode_example
from components.common.tasks.image.inputs import prepare_inputs
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.training.config import Optimizer
from components.common.training.examples import Examples, open_examples
from components.common.training.input_pipeline import training_batches as make_batches
from components.common.training.loop import make_deterministic
from components.common.training.phases import Phase
from components.common.training.trainer import Trainer
from components.finetune.config import FinetuneConfig
from components.finetune.fine_tuning import build_model, freeze_backbone
from tests.benchmarks.photographs import make_photograph
from tests.builders.synthetic import run_context, write_dataset, write_records

SIZE = 96
BATCH = 32
AUGMENT = Augment(flip=True, zoom=0.2)
Batches = Iterator[Any]


def write_photographs(folder: Path, count: int) -> DatasetManifest:
    """Writes JPEGs of 96x96 as the training split of a data set."""
    context = run_context(folder)
    few = {"train": 3, "validation": 3, "test": 3}
    manifest = write_dataset(context, folder / "dataset", examples=few, size=SIZE, channels=3)
    distinct = [_small_jpeg(seed) for seed in range(min(count, 200))]
    name = "shards/photographs.tfrecord"
    write_records(
        Path(context.data_root, name),
        (
            encode_example(Example(f"{index:06d}", distinct[index % len(distinct)], index % 3))
            for index in range(count)
        ),
    )
    size_bytes, crc32c = open_storage(context.data_root).checksum(name)
    shard = (
        manifest.splits["train"]
        .shards[0]
        .model_copy(
            update={"path": name, "examples": count, "size_bytes": size_bytes, "crc32c": crc32c}
        )
    )
    train = manifest.splits["train"].model_copy(update={"examples": count, "shards": (shard,)})
    return manifest.model_copy(
        update={
            "spec": manifest.spec.model_copy(update={"encoding": "jpeg"}),
            "splits": {**manifest.splits, "train": train},
        }
    )


def _small_jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(make_photograph(seed)))
    picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def feed_from_memory(examples: Any, spec: InputSpec) -> Callable[[int], Batches]:
    inputs = prepare_inputs(spec)(examples.inputs, None)
    labels = examples.labels
    batches = [
        (inputs[start : start + BATCH], labels[start : start + BATCH])
        for start in range(0, len(examples), BATCH)
    ]
    return lambda epoch: iter(batches)


def feed_from_pipeline(
    examples: Examples, spec: InputSpec, augment: Augment | None = None
) -> Callable[[int], Batches]:
    prepare = prepare_inputs(spec, augment)
    batches = iter(
        make_batches(examples, prepare, batch_size=BATCH, seed=0, epochs=range(1, 1_000))
    )
    return lambda epoch: batches


def feed_from_generator(examples: Any, spec: InputSpec) -> Callable[[int], Batches]:
    generator = keras.preprocessing.image.ImageDataGenerator(
        horizontal_flip=True,
        zoom_range=0.2,
        preprocessing_function=lambda picture: (picture - spec.offset) * spec.scale,
    )
    flow = generator.flow(
        examples.inputs.numpy().astype(np.float32), examples.labels.numpy(), batch_size=BATCH
    )
    return lambda epoch: (next(flow) for _ in range(len(flow)))


def measure(folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    """Returns images per second of each way in each round."""
    manifest = write_photographs(folder, count)
    storage = open_storage(run_context(folder).data_root)
    kept = open_examples(manifest, "train", storage, scratch=folder)
    streamed = open_examples(manifest, "train", storage, scratch=folder, memory_bytes=0)
    spec = BACKBONES["mobilenet_v2"].input_spec(manifest.spec)
    make_deterministic(0)
    model = build_model(FinetuneConfig(backbone="mobilenet_v2"), spec, 3, weights="none")
    freeze_backbone(model)
    phase = Phase(
        name="head",
        epochs=1,
        first_epoch=1,
        optimizer=Optimizer(),
        batch_size=BATCH,
        class_weights=(1.0,) * 3,
        seed=0,
    )
    steps = -(-count // BATCH)
    trainer = Trainer(model, phase, steps_per_epoch=steps)
    ways = {
        "memory": feed_from_memory(kept, spec),
        "pipeline": feed_from_pipeline(kept, spec),
        "augmented": feed_from_pipeline(kept, spec, AUGMENT),
        "streamed": feed_from_pipeline(streamed, spec),
        "generator": feed_from_generator(kept, spec),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, batches in ways.items():
            started = time.monotonic()
            for batch in itertools.islice(batches(number), steps):
                sums = trainer.train(*batch)
            sums.numpy()  # Waits for the last step.
            if number > 0:  # The first round warms up.
                rates[name].append(count / (time.monotonic() - started))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(Path(folder), arguments.examples, arguments.rounds)
    for name, found in rates.items():
        ratios = [a / b for a, b in zip(found, rates["memory"], strict=True)]
        print(
            f"{name:9} {statistics.median(found):6.0f} images/s, "
            f"{statistics.median(ratios):.3f} of memory "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()
