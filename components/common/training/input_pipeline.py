"""From shards to batches: the input pipeline of everything that trains.

A split is opened once. Where its decoded pictures fit MEMORY_BYTES they are kept, as
uint8, and a batch is a gather from them; a greater split is read and decoded anew in
each epoch. The order of training is a function of seed and epoch alone, and what is
random in a batch a function of seed and step, so that the batches do not depend on
threads, replicas or interruptions.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.shards import STAGED_BYTES, ShardCopies, stage_shards
from components.common.documents.bundle import InputSpec
from components.common.documents.dataset import DatasetManifest, ImageSpec, Split
from components.common.errors import UserError
from components.common.storage import Storage
from components.common.training.augmentation import augment_pictures, changes_pictures
from components.common.training.config import Augment
from components.common.training.keras import tf
from components.common.workers.worker import Worker

MEMORY_BYTES = 2 << 30
"""Decoded pictures of one split that are kept in memory. It is no setting: a split that
is read anew is shuffled in another order, so the bound has a part in the result."""

_SHARDS_AT_ONCE = 16
_SHUFFLED_AT_ONCE = 4096  # Encoded pictures, of a split too great to keep.
_LOADED_AT_ONCE = 256
_PREDICTED_AT_ONCE = 64

_ALONE = Worker()

Prepare = Callable[..., Any]
"""Makes examples into model inputs, given a seed (int64 [2]), their places in the batch
(int32 [b]) and the batch's size; without the latter two, they are the batch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptExamples:
    """Examples in memory.

    Attributes:
      inputs: tensor [n, ...]: uint8 pictures, or features.
      labels: int64 tensor [n].
      own: int64 array [n], ascending: their numbers among those of all workers, where
        there are several.
      total: how many those of all workers are.
    """

    inputs: Any
    labels: Any
    own: npt.NDArray[np.int64] | None = None
    total: int | None = None

    def __len__(self) -> int:
        return len(self.labels) if self.total is None else self.total

    def epoch(self, seed: Any | None) -> Any:
        """Returns a tf.data.Dataset of one pass; shuffled where a seed (int64 []) is given."""
        if seed is not None:
            order = _permutation(len(self), seed, 0)
        else:
            order = tf.range(len(self)) if self.own is None else tf.cast(self.own, tf.int32)
        return tf.data.Dataset.from_tensor_slices(order)

    def fetch(self, order: Any) -> tuple[Any, Any, Any]:
        """Returns inputs, labels and places in the batch of what `epoch` yields."""
        places = tf.range(tf.size(order))
        if self.own is not None:
            own = tf.constant(self.own, tf.int32)
            rows = tf.minimum(tf.searchsorted(own, order), len(self.own) - 1)
            places = tf.cast(tf.where(tf.gather(own, rows) == order)[:, 0], tf.int32)
            order = tf.gather(rows, places)
        return tf.gather(self.inputs, order), tf.gather(self.labels, order), places


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedExamples:
    """Examples that are read from their shards in every pass."""

    shards: "_ShardFiles"
    image: ImageSpec
    count: int
    worker: Worker = Worker()
    sizes: tuple[int, ...] = ()
    """Examples of every shard, those of other workers too."""

    def __len__(self) -> int:
        return self.count

    @property
    def own(self) -> npt.NDArray[np.int64] | None:
        """The numbers of the worker's examples among those of all, where there are several."""
        return _own_numbers(self.sizes, self.worker) if self.worker.count > 1 else None

    def epoch(self, seed: Any | None) -> Any:
        if seed is not None and self.worker.count > 1:
            return self._own_among_all(seed)
        if seed is None:
            return self.shards.records(at_once=1)  # In the order of `own`.
        records = self.shards.records(_permutation(len(self.shards), seed, 0))
        windows = records.batch(_SHUFFLED_AT_ONCE).enumerate(start=1)

        # Not by Dataset.shuffle, whose seed can't be one of many within one graph.
        def shuffle(number: Any, window: Any) -> Any:
            return tf.gather(window, _permutation(tf.size(window), seed, number))

        return windows.map(shuffle).prefetch(1).unbatch()

    def _own_among_all(self, seed: Any) -> Any:
        """Yields one element for each example of all workers: a record, or "" for others'.

        Which shard is next is drawn at random among all that are left, so that the order
        is the same for any number of workers but one.
        """
        files = self.shards.each()
        others = tf.data.Dataset.from_tensors("").repeat()
        index, count = self.worker.index, self.worker.count
        source = [
            shard // count if shard % count == index else len(files)
            for shard in range(len(self.sizes))
        ]
        choices = tf.repeat(tf.constant(source, tf.int64), self.sizes)
        choices = tf.gather(choices, _permutation(self.count, seed, 0))
        return tf.data.Dataset.choose_from_datasets(
            [*files, others],
            tf.data.Dataset.from_tensor_slices(choices),
            stop_on_empty_dataset=False,
        )

    def fetch(self, records: Any) -> tuple[Any, Any, Any]:
        places = tf.range(tf.size(records))
        if self.worker.count > 1:
            places = tf.cast(tf.where(records != "")[:, 0], tf.int32)
            records = tf.gather(records, places)
        parsed = _parse_and_decode(records, self.image)
        return parsed["image"], parsed["label"], places


Examples = KeptExamples | StreamedExamples


def open_examples(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    scratch: Path,
    memory_bytes: int = MEMORY_BYTES,
    worker: Worker = _ALONE,
) -> Examples:
    """Opens a split for training.

    Args:
      manifest: the data set.
      split: which part of it.
      storage: where the shards lie.
      scratch: a local folder for shards that are not on this machine's file system.
      memory_bytes: keep decoded pictures up to this bound.
      worker: which of several this is: each reads shards of its own.

    Raises:
      UserError: the split is empty, or a shard is missing or damaged.
    """
    image = manifest.image
    count = manifest.splits[split].examples
    if count * image.height * image.width * image.channels <= memory_bytes:
        return keep_examples(manifest, split, storage, scratch=scratch, worker=worker)
    return StreamedExamples(
        shards=_open_shards(manifest, split, storage, scratch=scratch, worker=worker),
        image=image,
        count=count,
        worker=worker,
        sizes=tuple(shard.examples for shard in manifest.splits[split].shards),
    )


def open_training_splits(
    manifest: DatasetManifest, storage: Storage, *, scratch: Path, worker: Worker
) -> tuple[Examples, Examples]:
    """Opens what a training learns from, and what it is judged by; see `open_examples`."""

    def open_split(split: Split) -> Examples:
        return open_examples(manifest, split, storage, scratch=scratch, worker=worker)

    return open_split("train"), open_split("validation")


def keep_examples(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    scratch: Path,
    worker: Worker = _ALONE,
) -> KeptExamples:
    """Reads and decodes a worker's part of a split into memory; see `open_examples`."""
    image = manifest.image
    sizes = [shard.examples for shard in manifest.splits[split].shards]
    own = _own_numbers(sizes, worker)
    count = manifest.splits[split].examples if worker.count == 1 else len(own)
    shards = _open_shards(manifest, split, storage, scratch=scratch, worker=worker)
    pictures = np.empty((count, image.height, image.width, image.channels), np.uint8)
    labels: list[int] = []
    # One shard after the other: an example's number must not depend on who reads it.
    batches = _parallel(
        shards.records(at_once=1).batch(_LOADED_AT_ONCE),
        lambda batch: _parse_and_decode(batch, image),
    )
    try:
        for batch in batches.as_numpy_iterator():
            start = len(labels)
            labels.extend(batch["label"].tolist())
            pictures[start : len(labels)] = batch["image"]
    except (tf.errors.OpError, ValueError) as error:
        if shards.copies is not None and shards.copies.failure is not None:
            raise shards.copies.failure from None
        raise _damaged(split, storage, str(error)) from error
    if len(labels) != count:
        raise _damaged(split, storage, f"{len(labels)} examples instead of {count}")
    return KeptExamples(
        inputs=in_host_memory(pictures),
        labels=in_host_memory(np.array(labels, np.int64)),
        own=own if worker.count > 1 else None,
        total=manifest.splits[split].examples,
    )


def keep_computed(
    examples: Examples, prepare: Prepare, compute: Callable[[Any], Any], *, batch_size: int
) -> KeptExamples:
    """Keeps what a function makes of prepared inputs, for each example, in their place."""
    batches = evaluation_batches(examples, prepare, batch_size=batch_size)
    computed = [(compute(inputs), labels.numpy()) for inputs, labels in batches]
    values, labels = (np.concatenate(parts) for parts in zip(*computed, strict=True))
    return KeptExamples(
        inputs=in_host_memory(values),
        labels=in_host_memory(labels),
        own=examples.own,
        total=len(examples),
    )


def in_host_memory(values: npt.NDArray[Any]) -> Any:
    """Returns a tensor that takes no memory of a GPU: batches are gathered on the host."""
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(values)


def _own_numbers(sizes: Sequence[int], worker: Worker) -> npt.NDArray[np.int64]:
    """Returns the numbers of a worker's examples, counted through all shards in order."""
    starts = np.cumsum([0, *sizes])
    own = range(worker.index, len(sizes), worker.count)
    ranges = [np.arange(starts[shard], starts[shard + 1]) for shard in own]
    return np.concatenate([np.zeros(0, np.int64), *ranges])


def identified_batches(
    manifest: DatasetManifest, split: Split, storage: Storage, *, spec: InputSpec, scratch: Path
) -> Any:
    """Returns one pass over a split, for predictions.

    Returns:
      tf.data.Dataset of (inputs float32 [b, h, w, c], labels int64 [b], ids string [b]).
    """
    shards = _open_shards(manifest, split, storage, scratch=scratch)
    prepare = prepare_pictures(spec)

    def assemble(records: Any) -> tuple[Any, Any, Any]:
        parsed = _parse_and_decode(records, manifest.image)
        return prepare(parsed["image"], None), parsed["label"], parsed["id"]

    return _parallel(shards.records().batch(_PREDICTED_AT_ONCE), assemble)


def prepare_pictures(spec: InputSpec, augment: Augment | None = None) -> Prepare:
    """Returns the function that makes uint8 pictures into the model's float32 input."""
    offset, scale = tf.constant(spec.offset), tf.constant(spec.scale)

    def prepare(pictures: Any, seed: Any, places: Any = None, size: Any = None) -> Any:
        pictures = tf.cast(pictures, tf.float32)
        if augment is not None and changes_pictures(augment):
            pictures = augment_pictures(pictures, seed, augment, places=places, size=size)
        return (pictures - offset) * scale

    return prepare


def training_batches(
    examples: Examples,
    prepare: Prepare,
    *,
    batch_size: int,
    seed: int,
    epochs: Sequence[int],
    skip: int = 0,
) -> Any:
    """Returns the batches of some epochs, one after the other.

    Args:
      examples: what to train on.
      prepare: makes a batch into model inputs.
      batch_size: examples in a batch; each epoch's last may have fewer.
      seed: of order and augmentation.
      epochs: consecutive numbers of the epochs, which the order depends on.
      skip: how many batches of the first epoch to leave out.

    Returns:
      tf.data.Dataset of (inputs [b, ...], labels int64 [b], places int32 [b]), where the
      places are those in the batch of all workers; ceil(n / batch_size) for each epoch.
    """
    steps = -(-len(examples) // batch_size)

    def epoch_batches(epoch: Any) -> Any:
        members = examples.epoch(_mix(seed, epoch)).batch(batch_size)
        return members.enumerate(start=epoch * steps)

    def assemble(step: Any, members: Any) -> tuple[Any, Any, Any]:
        inputs, labels, places = examples.fetch(members)
        step_seed = tf.stack([tf.constant(seed, tf.int64), step])
        return prepare(inputs, step_seed, places, tf.size(members)), labels, places

    numbers = tf.data.Dataset.range(epochs[0], epochs[-1] + 1)
    batches = numbers.flat_map(epoch_batches).skip(skip)
    return _parallel(batches, assemble)


def evaluation_batches(examples: Examples, prepare: Prepare, *, batch_size: int) -> Any:
    """Returns all examples in their own order: (inputs [b, ...], labels int64 [b])."""

    def assemble(members: Any) -> tuple[Any, Any]:
        inputs, labels, _ = examples.fetch(members)
        return prepare(inputs, tf.zeros([2], tf.int64)), labels

    return _parallel(examples.epoch(None).batch(batch_size), assemble)


def decode_image(data: Any, image: ImageSpec) -> Any:
    """Decodes one encoded picture exactly as Pillow does: uint8 [height, width, channels]."""
    if image.encoding == "jpeg":
        # The default method differs from libjpeg's, and so from a device's, by up to 15.
        decoded = tf.io.decode_jpeg(data, channels=image.channels, dct_method="INTEGER_ACCURATE")
    else:
        decoded = tf.io.decode_png(data, channels=image.channels)
    return tf.ensure_shape(decoded, [image.height, image.width, image.channels])


def _parallel(batches: Any, assemble: Callable[..., Any]) -> Any:
    return batches.map(assemble, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(
        tf.data.AUTOTUNE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ShardFiles:
    """A split's shards, to be read side by side.

    Attributes:
      names: the paths of local files, or names of which there are copies.
      compression: GZIP or empty.
      copies: makes the copies; None for local files.
    """

    names: tuple[str, ...]
    compression: str
    copies: ShardCopies | None

    def __len__(self) -> int:
        return len(self.names)

    def each(self) -> list[Any]:
        """Returns a tf.data.Dataset of serialized examples for each shard."""
        read = self._local_records if self.copies is None else self._copied_records
        return [read(tf.constant(name)) for name in self.names]

    def records(self, order: Any | None = None, *, at_once: int = _SHARDS_AT_ONCE) -> Any:
        """Returns a tf.data.Dataset of serialized examples (string []).

        Args:
          order: int32 [n], in which order the shards are read; their own where None. The
            order of the records depends on nothing else.
          at_once: how many are read in turns, a record of each.
        """
        names = tf.constant(self.names)
        return tf.data.Dataset.from_tensor_slices(
            names if order is None else tf.gather(names, order)
        ).interleave(
            self._local_records if self.copies is None else self._copied_records,
            cycle_length=min(at_once, len(self.names)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    def _local_records(self, path: Any) -> Any:
        return tf.data.TFRecordDataset(path, compression_type=self.compression)

    def _copied_records(self, name: Any) -> Any:
        """Takes a copy, reads it, and drops it behind its last record."""
        copies = self.copies
        assert copies is not None

        def take(name: bytes) -> bytes:
            return str(copies.take(name.decode())).encode()

        def drop(name: bytes) -> bytes:
            copies.drop(name.decode())
            return name

        # Not stateful to TensorFlow, which would make a deterministic run take turns.
        def call(function: Callable[[bytes], bytes]) -> Any:
            return tf.ensure_shape(
                tf.numpy_function(function, [name], tf.string, stateful=False), []
            )

        dropped = tf.data.Dataset.range(1).map(lambda _: call(drop)).filter(lambda _: False)
        return self._local_records(call(take)).concatenate(dropped)


def _open_shards(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    scratch: Path,
    worker: Worker = _ALONE,
) -> _ShardFiles:
    """Finds a split's shards, which are copied as they are read where they lie elsewhere.

    Raises:
      UserError: the split is empty, or a local shard is missing or has another size.
    """
    shards = manifest.splits[split].shards
    if manifest.splits[split].examples == 0:
        raise UserError(
            f"the {split} split is empty; give more pictures, or a greater share to it in "
            "data.splits"
        )
    if len(shards) < worker.count:
        raise UserError(
            f"the {split} split has {len(shards)} shards for {worker.count} workers; state more "
            "data.shards in the recipe, or fewer workers in the target"
        )
    shards = shards[worker.index :: worker.count]
    compression = "GZIP" if manifest.compression == "gzip" else ""
    if storage.local_path(shards[0].path) is not None:
        paths = tuple(str(path) for path in stage_shards(storage, shards))
        return _ShardFiles(names=paths, compression=compression, copies=None)
    return _ShardFiles(
        names=tuple(shard.path for shard in shards),
        compression=compression,
        copies=ShardCopies(storage, shards, scratch, max_bytes=STAGED_BYTES),
    )


def _parse_and_decode(records: Any, image: ImageSpec) -> dict[str, Any]:
    """Parses a batch of serialized examples: image uint8 [b, h, w, c], label, id."""
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "id": tf.io.FixedLenFeature([], tf.string),
    }
    parsed = tf.io.parse_example(records, features)
    pictures = tf.map_fn(
        lambda data: decode_image(data, image),
        parsed["image"],
        fn_output_signature=tf.TensorSpec([image.height, image.width, image.channels], tf.uint8),
    )
    return {**parsed, "image": pictures}


def _permutation(count: Any, seed: Any, number: Any) -> Any:
    """Returns the numbers below count in an order that the seed decides: int32 [count]."""
    seeds = tf.stack([seed, tf.cast(number, tf.int64)])
    noise = tf.random.stateless_uniform([count], seeds, None, None, tf.int32)
    return tf.argsort(noise, stable=True)


def _mix(seed: int, epoch: Any) -> Any:
    """Returns a seed for one epoch: int64 []; seeds are below 2**31."""
    return tf.constant(seed, tf.int64) * (1 << 31) + epoch


def _damaged(split: Split, storage: Storage, detail: str) -> UserError:
    return UserError(
        f"{storage.root}: a shard of the {split} split is missing or damaged ({detail}); "
        "run again, and preprocess will write it anew"
    )
