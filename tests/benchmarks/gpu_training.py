"""Fine-tuning at 224 pixels against plain Keras, on whatever device there is.

All layers of MobileNetV2 and ResNet50 are trained, in the precision that is native to the
device, from the same JPEGs. In each round every way trains one epoch, in turns; the first
warms up. Without a GPU it is of use only to see that it works: `--examples 16 --size 32`.

    ours       our pipeline and loop; the share of its time that it waited for input
    directory  Keras' fit over image_dataset_from_directory, prefetched
    generator  Keras' fit over ImageDataGenerator

    python -m tests.benchmarks.gpu_training
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import ImageSpec
from components.common.keras import keras, tf
from components.common.storage import open_storage
from components.common.tasks.image.features import Example, encode_example
from components.common.tasks.image.inputs import prepare_inputs
from components.common.training.config import Optimizer
from components.common.training.examples import open_examples
from components.common.training.input_pipeline import training_batches
from components.common.training.loop import make_deterministic
from components.common.training.phases import Phase
from components.common.training.precision import native_precision
from components.common.training.trainer import Trainer
from tests.benchmarks.photographs import make_photograph
from tests.builders.synthetic import run_context, write_dataset, write_records

CLASSES = 3
NETWORKS = {
    "MobileNetV2": keras.applications.MobileNetV2,
    "ResNet50": keras.applications.ResNet50,
}
"""ResNet50 is no backbone of ours: it has more to compute for each byte of input."""

Way = Callable[[], float | None]
"""Trains one epoch; returns the time it waited for input, where that is known."""


def write_pictures(folder: Path, count: int, size: int) -> DatasetManifest:
    """Writes the same JPEGs as a folder for each class, and as the shard of a data set."""
    examples = []
    for index in range(count):
        data = _resized(make_photograph(index % 200), size)
        label = index % CLASSES
        path = folder / "pictures" / f"class{label}" / f"{index:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        examples.append(encode_example(Example(f"{index:06d}", data, label)))
    context = run_context(folder)
    few = {"train": 3, "validation": 3, "test": 3}
    manifest = write_dataset(context, folder / "dataset", examples=few, size=size, channels=3)
    name = "shards/photographs.tfrecord"
    write_records(Path(context.data_root, name), examples)
    size_bytes, crc32c = open_storage(context.data_root).checksum(name)
    written = {"path": name, "examples": count, "size_bytes": size_bytes, "crc32c": crc32c}
    train = manifest.splits["train"]
    shard = train.shards[0].model_copy(update=written)
    train = train.model_copy(update={"examples": count, "shards": (shard,)})
    return manifest.model_copy(
        update={
            "spec": manifest.spec.model_copy(update={"encoding": "jpeg"}),
            "splits": {**manifest.splits, "train": train},
        }
    )


def _resized(data: bytes, size: int) -> bytes:
    picture = tf.image.resize(tf.io.decode_jpeg(data), [size, size], antialias=True)
    return tf.io.encode_jpeg(tf.cast(tf.round(picture), tf.uint8), quality=95).numpy()


def build(network: str, size: int) -> keras.Model:
    keras.mixed_precision.set_global_policy(native_precision())
    body = NETWORKS[network](
        input_shape=(size, size, 3), include_top=False, weights=None, pooling="avg"
    )
    logits = keras.layers.Dense(CLASSES, name="head", dtype="float32")(body.output)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(body.input, probabilities)


def train_ours(manifest: DatasetManifest, folder: Path, network: str, batch_size: int) -> Way:
    storage = open_storage(run_context(folder).data_root)
    # Streamed: kept pictures would leave nothing to wait for.
    examples = open_examples(manifest, "train", storage, scratch=folder, memory_bytes=0)
    phase = Phase(
        name="fine_tune",
        epochs=1_000,
        first_epoch=1,
        optimizer=Optimizer(),
        batch_size=batch_size,
        class_weights=(1.0,) * CLASSES,
        seed=0,
    )
    steps = -(-len(examples) // batch_size)
    trainer = Trainer(build(network, manifest.spec.height), phase, steps_per_epoch=steps)
    prepare = prepare_inputs(_spec(manifest.spec))
    batches = trainer.fetch_ahead(
        training_batches(
            examples, prepare, batch_size=batch_size, seed=0, epochs=range(1, phase.epochs)
        )
    )

    def run() -> float:
        left, waiting_s = steps, 0.0
        while left:
            taken = trainer.take_steps(batches, left)
            left, waiting_s = left - taken.count, waiting_s + taken.waiting_s
        taken.sums.numpy()  # Waits for the last step.
        return waiting_s

    return run


def _spec(image: ImageSpec):
    from components.common.tasks.image.models.backbones import BACKBONES

    return BACKBONES["mobilenet_v2"].input_spec(image)


def train_keras(batches, network: str, size: int) -> Way:
    model = build(network, size)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy())

    def run() -> None:
        model.fit(batches, epochs=1, verbose=0)

    return run


def ways(folder: Path, network: str, count: int, size: int, batch_size: int) -> Iterator:
    manifest = write_pictures(folder, count, size)
    yield "ours", train_ours(manifest, folder, network, batch_size)
    pictures = str(folder / "pictures")
    directory = keras.utils.image_dataset_from_directory(
        pictures, image_size=(size, size), batch_size=batch_size, seed=0
    )
    scaled = directory.map(lambda x, y: (x / 127.5 - 1.0, y), num_parallel_calls=tf.data.AUTOTUNE)
    yield "directory", train_keras(scaled.prefetch(tf.data.AUTOTUNE), network, size)
    generator = keras.preprocessing.image.ImageDataGenerator(
        preprocessing_function=lambda picture: picture / 127.5 - 1.0
    )
    flow = generator.flow_from_directory(
        pictures, (size, size), batch_size=batch_size, class_mode="sparse", seed=0
    )
    yield "generator", train_keras(flow, network, size)


def measure(
    folder: Path, network: str, *, count: int, size: int, batch_size: int, rounds: int
) -> None:
    make_deterministic(0)
    found = dict(ways(folder, network, count, size, batch_size))
    rates: dict[str, list[float]] = {name: [] for name in found}
    shares = []
    for number in range(rounds + 1):
        for name, run in found.items():
            started = time.monotonic()
            waiting_s = run()
            seconds = time.monotonic() - started
            if number > 0:
                rates[name].append(count / seconds)
                if waiting_s is not None:
                    shares.append(waiting_s / seconds)
    for name, rate in rates.items():
        ratios = [ours / other for ours, other in zip(rates["ours"], rate, strict=True)]
        print(
            f"{network:11} {name:9} {statistics.median(rate):7.1f} images/s, "
            f"ours {statistics.median(ratios):.2f} times as fast"
        )
    print(f"{network:11} ours waited for input {statistics.median(shares):.1%} of its time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=4096)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    arguments = parser.parse_args()
    print(f"{native_precision()} on {tf.config.list_physical_devices('GPU') or 'CPU'}")
    for network in arguments.network or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            measure(
                Path(folder),
                network,
                count=arguments.examples,
                size=arguments.size,
                batch_size=arguments.batch_size,
                rounds=arguments.rounds,
            )


if __name__ == "__main__":
    main()
