"""The input pipeline: what it reads is what was written, in an order that seeds decide."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import ImageSpec, InputSpec
from components.common.errors import UserError
from components.common.storage import LocalStorage, open_storage
from components.common.tasks.image.config import Augment
from components.common.tasks.image.device import decode_picture
from components.common.tasks.image.inputs import decode_image, prepare_inputs
from components.common.tasks.reading import read_examples
from components.common.training import shard_files
from components.common.training.examples import KeptExamples, StreamedExamples, open_examples
from components.common.training.input_pipeline import (
    evaluation_batches,
    identified_batches,
    training_batches,
)
from components.common.training.loop import make_deterministic
from tests.builders.synthetic import run_context, write_dataset

SPEC = InputSpec(height=16, width=16, channels=1, offset=(127.5,), scale=(1 / 127.5,))


@pytest.fixture(autouse=True)
def deterministic():
    """As in a stage: some of TensorFlow's ops behave otherwise then."""
    make_deterministic(0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetManifest, LocalStorage]:
    folder = tmp_path_factory.mktemp("dataset")
    context = run_context(folder)
    examples = {"train": 50, "validation": 21, "test": 9}
    manifest = write_dataset(context, folder / "manifest", examples=examples, shards=3)
    return manifest, open_storage(context.data_root)


def opened(dataset, tmp_path, *, memory_bytes=1 << 20, split="train"):
    manifest, storage = dataset
    return open_examples(manifest, split, storage, scratch=tmp_path, memory_bytes=memory_bytes)


def pixels(spec=SPEC):
    """Prepares pictures as they are, so that batches can be compared with them."""
    return prepare_inputs(spec.model_copy(update={"offset": (0.0,), "scale": (1.0,)}))


def epochs_of(batches, steps):
    rows = [(inputs.numpy(), labels.numpy()) for inputs, labels, _ in batches]
    return [rows[start : start + steps] for start in range(0, len(rows), steps)]


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_decoding_equals_pillow_exactly(encoding, channels):
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (8, 8, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((48, 40)).convert("L" if channels == 1 else "RGB")
    buffer = io.BytesIO()
    picture.save(buffer, encoding.upper(), **({"quality": 80} if encoding == "jpeg" else {}))
    spec = ImageSpec(height=40, width=48, channels=channels, encoding=encoding, fit="crop",
                     background="#ffffff")  # fmt: skip
    decoded = decode_image(buffer.getvalue(), spec).numpy()
    np.testing.assert_array_equal(decoded, decode_picture(buffer.getvalue(), channels=channels))


def test_kept_examples_are_the_written_ones(dataset, tmp_path):
    manifest, storage = dataset
    examples = opened(dataset, tmp_path)
    assert isinstance(examples, KeptExamples)
    written = {
        (decode_picture(example.image, channels=1).tobytes(), example.label)
        for example in read_examples(manifest, "train", storage)
    }
    kept = zip(examples.inputs.numpy(), examples.labels.numpy(), strict=True)
    assert {(picture.tobytes(), label) for picture, label in kept} == written
    assert len(examples) == len(examples.labels) == len(written)


@pytest.mark.parametrize("memory_bytes", [1 << 20, 0])
def test_every_epoch_sees_every_example_once_in_another_order(dataset, tmp_path, memory_bytes):
    examples = opened(dataset, tmp_path, memory_bytes=memory_bytes)
    assert isinstance(examples, KeptExamples if memory_bytes else StreamedExamples)
    kept = opened(dataset, tmp_path)
    batches = training_batches(examples, pixels(), batch_size=8, seed=3, epochs=range(1, 4))
    orders = []
    for epoch in epochs_of(batches, steps=7):
        assert [len(labels) for _, labels in epoch] == [8, 8, 8, 8, 8, 8, 2]
        pictures = np.concatenate([inputs for inputs, *_ in epoch])
        assert {p.tobytes() for p in pictures} == {
            p.astype(np.float32).tobytes() for p in kept.inputs.numpy()
        }
        orders.append(pictures.tobytes())
    assert len(set(orders)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("memory_bytes", [1 << 20, 0])
def test_a_later_start_continues_the_same_batches(dataset, tmp_path, memory_bytes):
    examples = opened(dataset, tmp_path, memory_bytes=memory_bytes)
    augment = Augment(flip=True, shift=0.1, zoom=0.2, brightness=0.1)

    def batches(epochs):
        prepare = prepare_inputs(SPEC, augment)
        return [
            inputs.numpy()
            for inputs, *_ in training_batches(
                examples, prepare, batch_size=16, seed=5, epochs=epochs
            )
        ]

    whole, rest = batches(range(1, 4)), batches(range(3, 4))
    assert len(whole) == 12
    for one, other in zip(whole[8:], rest, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_stay_with_their_pictures(dataset, tmp_path):
    kept = opened(dataset, tmp_path)
    labels_of = dict(
        zip([p.tobytes() for p in kept.inputs.numpy()], kept.labels.numpy(), strict=True)
    )
    for memory_bytes in (1 << 20, 0):
        examples = opened(dataset, tmp_path, memory_bytes=memory_bytes)
        batches = training_batches(examples, pixels(), batch_size=8, seed=0, epochs=range(1, 2))
        for inputs, labels, _ in batches:
            for picture, label in zip(inputs.numpy(), labels.numpy(), strict=True):
                assert labels_of[picture.astype(np.uint8).tobytes()] == label


def test_inputs_are_normalised_as_the_spec_says(dataset, tmp_path):
    examples = opened(dataset, tmp_path)
    spec = SPEC.model_copy(update={"offset": (100.0,), "scale": (0.5,)})
    batches = evaluation_batches(examples, prepare_inputs(spec), batch_size=64)
    ((inputs, _),) = list(batches)
    expected = (examples.inputs.numpy().astype(np.float32) - 100.0) * 0.5
    np.testing.assert_array_equal(inputs.numpy(), expected)


def test_identified_batches_name_each_example(dataset, tmp_path):
    manifest, storage = dataset
    written = {example.id: example for example in read_examples(manifest, "test", storage)}
    ids = []
    for inputs, labels, names in identified_batches(
        manifest, "test", storage, spec=SPEC, scratch=tmp_path
    ):
        assert inputs.dtype == "float32"
        for label, name in zip(labels.numpy(), names.numpy(), strict=True):
            assert written[name.decode()].label == label
            ids.append(name.decode())
    assert sorted(ids) == sorted(written)


def test_gzipped_shards_are_read(dataset, tmp_path):
    manifest, storage = dataset
    zipped_storage = LocalStorage(str(tmp_path))
    shards = []
    for shard in manifest.splits["train"].shards:
        zipped_storage.write(shard.path, gzip.compress(storage.read(shard.path)))
        size_bytes, crc32c = zipped_storage.checksum(shard.path)
        shards.append(shard.model_copy(update={"size_bytes": size_bytes, "crc32c": crc32c}))
    train = manifest.splits["train"].model_copy(update={"shards": tuple(shards)})
    zipped = manifest.model_copy(update={"compression": "gzip", "splits": {"train": train}})
    found = open_examples(zipped, "train", zipped_storage, scratch=tmp_path)
    expected = opened(dataset, tmp_path)
    np.testing.assert_array_equal(found.inputs.numpy(), expected.inputs.numpy())


class RemoteStorage(LocalStorage):
    """A storage whose objects do not lie on this machine's file system."""

    def local_path(self, name: str) -> Path | None:
        return None


def test_shards_elsewhere_are_copied(dataset, tmp_path):
    manifest, storage = dataset
    found = open_examples(manifest, "train", RemoteStorage(storage.root), scratch=tmp_path)
    expected = opened(dataset, tmp_path)
    np.testing.assert_array_equal(found.inputs.numpy(), expected.inputs.numpy())
    names = sorted(path.name for path in tmp_path.rglob("*.tfrecord"))
    assert names == [Path(shard.path).name for shard in manifest.splits["train"].shards]


@pytest.mark.slow
def test_streamed_shards_elsewhere_give_the_same_batches_within_the_bound(tmp_path, monkeypatch):
    context = run_context(tmp_path)
    examples = {"train": 200, "validation": 3, "test": 3}
    manifest = write_dataset(context, tmp_path / "manifest", examples=examples, shards=100)
    local, remote = context.data(), RemoteStorage(context.data_root)
    size = max(shard.size_bytes for shard in manifest.splits["train"].shards)
    monkeypatch.setattr(shard_files, "STAGED_BYTES", 60 * size)

    def rows(storage):
        found = open_examples(
            manifest, "train", storage, scratch=tmp_path / "scratch", memory_bytes=0
        )
        batches = training_batches(found, pixels(), batch_size=16, seed=3, epochs=(1, 2))
        for inputs, labels, _ in batches:
            copied = list((tmp_path / "scratch").rglob("*.tfrecord"))
            assert len(copied) <= 60, "those in use, and those kept for later"
            yield inputs.numpy(), labels.numpy()

    for (inputs, labels), (others, other_labels) in zip(rows(local), rows(remote), strict=True):
        np.testing.assert_array_equal(inputs, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_a_missing_shard_elsewhere_is_named(dataset, tmp_path):
    manifest, storage = dataset
    (first, *others) = manifest.splits["train"].shards
    lost = first.model_copy(update={"path": "shards/lost"})
    train = manifest.splits["train"].model_copy(update={"shards": (lost, *others)})
    wrong = manifest.model_copy(update={"splits": {"train": train}})
    with pytest.raises(UserError, match=r"shards/lost: .*does not exist.*preprocess will write"):
        open_examples(wrong, "train", RemoteStorage(storage.root), scratch=tmp_path)


def test_an_empty_split_is_refused(dataset, tmp_path):
    manifest, storage = dataset
    empty = manifest.splits["test"].model_copy(update={"examples": 0, "shards": ()})
    without = manifest.model_copy(update={"splits": {**manifest.splits, "test": empty}})
    with pytest.raises(UserError, match="the test split is empty"):
        open_examples(without, "test", storage, scratch=tmp_path)


@pytest.mark.parametrize("damage", ["missing", "flipped", "short"])
def test_a_damaged_shard_is_named(dataset, tmp_path, damage):
    manifest, storage = dataset
    copy = LocalStorage(str(tmp_path))
    for shard in manifest.splits["train"].shards:
        copy.write(shard.path, storage.read(shard.path))
    if damage == "missing":
        copy.delete(shard.path)
    else:
        data = bytearray(copy.read(shard.path))
        data[len(data) // 2] ^= 1
        copy.write(shard.path, bytes(data) if damage == "flipped" else b"")
    with pytest.raises(UserError, match="missing or damaged.*preprocess will write it anew"):
        open_examples(manifest, "train", copy, scratch=tmp_path)


def test_fewer_examples_than_the_manifest_says_are_noticed(dataset, tmp_path):
    manifest, storage = dataset
    more = manifest.splits["train"].model_copy(update={"examples": 51})
    wrong = manifest.model_copy(update={"splits": {"train": more}})
    with pytest.raises(UserError, match="50 examples instead of 51"):
        open_examples(wrong, "train", storage, scratch=tmp_path)
