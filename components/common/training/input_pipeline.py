"""From shards to batches: the input pipeline of everything that trains.

A split is opened once. Where its decoded examples fit MEMORY_BYTES they are kept, and a batch is a
gather from them; a larger split is read and decoded anew in each epoch. The order of training is a
function of seed and epoch alone, and what is random in a batch a function of seed and step, so
that the batches do not depend on threads, replicas or interruptions.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.common.documents.bundle import ModelInput
from components.common.documents.dataset import DatasetManifest, Split
from components.common.keras import tf
from components.common.storage import Storage
from components.common.tasks.inputs import Prepare, parse_and_decode, prepare_inputs
from components.common.training.examples import (
    Examples,
    KeptExamples,
    in_host_memory,
    seed_of_epoch,
)
from components.common.training.shard_files import in_parallel, open_shards

_PREDICTED_AT_ONCE = 64


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


def identified_batches(
    manifest: DatasetManifest, split: Split, storage: Storage, *, spec: ModelInput, scratch: Path
) -> Any:
    """Returns one pass over a split, for predictions.

    Returns:
      tf.data.Dataset of (inputs float32 [b, ...], labels int64 [b], ids string [b]).
    """
    shards = open_shards(manifest, split, storage, scratch=scratch)
    prepare = prepare_inputs(spec)

    def assemble(records: Any) -> tuple[Any, Any, Any]:
        inputs, labels, ids = parse_and_decode(records, manifest.spec)
        return prepare(inputs, None), labels, ids

    return in_parallel(shards.records().batch(_PREDICTED_AT_ONCE), assemble)


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
        members = examples.epoch(seed_of_epoch(seed, epoch)).batch(batch_size)
        return members.enumerate(start=epoch * steps)

    def assemble(step: Any, members: Any) -> tuple[Any, Any, Any]:
        inputs, labels, places = examples.fetch(members)
        step_seed = tf.stack([tf.constant(seed, tf.int64), step])
        return prepare(inputs, step_seed, places, tf.size(members)), labels, places

    numbers = tf.data.Dataset.range(epochs[0], epochs[-1] + 1)
    batches = numbers.flat_map(epoch_batches).skip(skip)
    return in_parallel(batches, assemble)


def evaluation_batches(examples: Examples, prepare: Prepare, *, batch_size: int) -> Any:
    """Returns all examples in their own order: (inputs [b, ...], labels int64 [b])."""

    def assemble(members: Any) -> tuple[Any, Any]:
        inputs, labels, _ = examples.fetch(members)
        return prepare(inputs, tf.zeros([2], tf.int64)), labels

    return in_parallel(examples.epoch(None).batch(batch_size), assemble)


def augmented_batches(
    examples: KeptExamples, prepare: Prepare, *, batch_size: int, seed: int, pass_: int
) -> Any:
    """Returns this worker's examples in their own order, as one of many passes changes them.

    The batches are those of all workers, so that an example is changed alike by any number of
    these: inputs [at most batch_size, ...].
    """
    steps = -(-len(examples) // batch_size)
    members = tf.data.Dataset.range(len(examples), output_type=tf.int32).batch(batch_size)

    def assemble(step: Any, members: Any) -> Any:
        inputs, _, places = examples.fetch(members)
        step_seed = tf.stack([tf.constant(seed, tf.int64), step])
        return prepare(inputs, step_seed, places, tf.size(members))

    return in_parallel(members.enumerate(start=pass_ * steps), assemble)
