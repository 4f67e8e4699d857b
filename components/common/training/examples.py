"""A split opened once: kept in memory, or read anew in each epoch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import DatasetManifest, ExampleSpec, Split
from components.common.errors import UserError
from components.common.keras import tf
from components.common.storage import Storage
from components.common.tasks.inputs import parse_and_decode, room_for
from components.common.training.shard_files import ALONE, ShardFiles, in_parallel, open_shards
from components.common.workers.worker import Worker

MEMORY_BYTES = 2 << 30
"""Decoded examples of one split that are kept in memory. It is no setting: a split that
is read anew is shuffled in another order, so the bound has a part in the result."""

_SHUFFLED_AT_ONCE = 4096  # Records, of a split too great to keep.

_LOADED_AT_ONCE = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptExamples:
    """Examples in memory.

    Attributes:
      inputs: tensor [n, ...]: as decoded, or features.
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
        """Returns inputs, labels and places in the batch of what `epoch` yields.

        All workers draw the same order of all examples, and each keeps those that it has. A
        place is where an example stands in the batch of all:

            order of the batch   7 2 9 4        places
            worker 0 has         . 2 . 4        1 3
            worker 1 has         7 . 9 .        0 2

        Noise is drawn for the whole batch and taken by place. So two workers see what one
        would have seen, but for the order in which they add up.
        """
        places = tf.range(tf.size(order))
        if self.own is not None:
            own = tf.constant(self.own, tf.int32)
            # Of another worker's example this is some row of ours, which the comparison drops.
            rows = tf.minimum(tf.searchsorted(own, order), len(self.own) - 1)
            places = tf.cast(tf.where(tf.gather(own, rows) == order)[:, 0], tf.int32)
            order = tf.gather(rows, places)
        return tf.gather(self.inputs, order), tf.gather(self.labels, order), places


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedExamples:
    """Examples that are read from their shards in every pass."""

    shards: "ShardFiles"
    spec: ExampleSpec
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
        # To shuffle a whole split would take it all into memory. So the shards are read in a random
        # order, and each window of their records is shuffled.
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
        # Worker 1 of 2 has the shards 1 and 3, which are its files 0 and 1:
        #
        #   shard     0       1    2       3
        #   source    others  0    others  1
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
        inputs, labels, _ = parse_and_decode(records, self.spec)
        return inputs, labels, places


@dataclasses.dataclass(frozen=True)
class KeptVersions:
    """Several versions of each example in memory, of which every pass takes one.

    Attributes:
      examples: with inputs [n, versions, ...].
      versions: how many there are.
    """

    examples: KeptExamples
    versions: int

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def own(self) -> npt.NDArray[np.int64] | None:
        return self.examples.own

    def epoch(self, seed: Any) -> Any:
        """Returns a tf.data.Dataset of one pass, shuffled, of examples and their versions."""
        count = len(self)
        seeds = tf.stack([seed, tf.constant(1, tf.int64)])
        chosen = tf.random.stateless_uniform([count], seeds, 0, self.versions, tf.int32)
        order = _permutation(count, seed, 0)
        return tf.data.Dataset.from_tensor_slices(order * self.versions + chosen)

    def fetch(self, order: Any) -> tuple[Any, Any, Any]:
        inputs, labels, places = self.examples.fetch(order // self.versions)
        chosen = tf.gather(order % self.versions, places)
        return tf.gather(inputs, chosen, batch_dims=1), labels, places


Examples = KeptExamples | StreamedExamples | KeptVersions


def open_examples(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    scratch: Path,
    memory_bytes: int = MEMORY_BYTES,
    worker: Worker = ALONE,
) -> Examples:
    """Opens a split for training.

    Args:
      manifest: the data set.
      split: which part of it.
      storage: where the shards lie.
      scratch: a local folder for shards that are not on this machine's file system.
      memory_bytes: keep decoded examples up to this bound.
      worker: which of several this is: each reads shards of its own.

    Raises:
      UserError: the split is empty, or a shard is missing or damaged.
    """
    spec = manifest.spec
    count = manifest.splits[split].examples
    if count * room_for(1, spec).nbytes <= memory_bytes:
        return keep_examples(manifest, split, storage, scratch=scratch, worker=worker)
    return StreamedExamples(
        shards=open_shards(manifest, split, storage, scratch=scratch, worker=worker),
        spec=spec,
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
    worker: Worker = ALONE,
) -> KeptExamples:
    """Reads and decodes a worker's part of a split into memory; see `open_examples`."""
    spec = manifest.spec
    sizes = [shard.examples for shard in manifest.splits[split].shards]
    own = _own_numbers(sizes, worker)
    count = manifest.splits[split].examples if worker.count == 1 else len(own)
    shards = open_shards(manifest, split, storage, scratch=scratch, worker=worker)
    inputs = room_for(count, spec)
    labels: list[int] = []
    # One shard after the other: an example's number must not depend on who reads it.
    batches = in_parallel(
        shards.records(at_once=1).batch(_LOADED_AT_ONCE),
        lambda batch: parse_and_decode(batch, spec),
    )
    try:
        for decoded, known, _ in batches.as_numpy_iterator():
            start = len(labels)
            labels.extend(known.tolist())
            inputs[start : len(labels)] = decoded
    except (tf.errors.OpError, ValueError) as error:
        if shards.copies is not None and shards.copies.failure is not None:
            raise shards.copies.failure from None
        raise _damaged(split, storage, str(error)) from error
    if len(labels) != count:
        raise _damaged(split, storage, f"{len(labels)} examples instead of {count}")
    return KeptExamples(
        inputs=in_host_memory(inputs),
        labels=in_host_memory(np.array(labels, np.int64)),
        own=own if worker.count > 1 else None,
        total=manifest.splits[split].examples,
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


def _permutation(count: Any, seed: Any, number: Any) -> Any:
    """Returns the numbers below count in an order that the seed decides: int32 [count]."""
    seeds = tf.stack([seed, tf.cast(number, tf.int64)])
    noise = tf.random.stateless_uniform([count], seeds, None, None, tf.int32)
    return tf.argsort(noise, stable=True)


def seed_of_epoch(seed: int, epoch: Any) -> Any:
    """Returns a seed for one epoch: int64 []; seeds are below 2**31."""
    return tf.constant(seed, tf.int64) * (1 << 31) + epoch


def _damaged(split: Split, storage: Storage, detail: str) -> UserError:
    return UserError(
        f"{storage.root}: a shard of the {split} split is missing or damaged ({detail}); "
        "run again, and preprocess will write it anew"
    )
