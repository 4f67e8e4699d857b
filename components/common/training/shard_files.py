"""A split's shards as records of tf.data, wherever they lie."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.common.data.shards import STAGED_BYTES, ShardCopies, stage_shards
from components.common.documents.dataset import DatasetManifest, Split
from components.common.errors import UserError
from components.common.keras import tf
from components.common.storage import Storage
from components.common.workers.worker import Worker

_SHARDS_AT_ONCE = 16

ALONE = Worker()


def in_parallel(batches: Any, assemble: Callable[..., Any]) -> Any:
    return batches.map(assemble, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(
        tf.data.AUTOTUNE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardFiles:
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


def open_shards(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    scratch: Path,
    worker: Worker = ALONE,
) -> ShardFiles:
    """Finds a split's shards, which are copied as they are read where they lie elsewhere.

    Raises:
      UserError: the split is empty, or a local shard is missing or has another size.
    """
    shards = manifest.splits[split].shards
    if manifest.splits[split].examples == 0:
        raise UserError(
            f"the {split} split is empty; give more examples, or a greater share to it in "
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
        return ShardFiles(names=paths, compression=compression, copies=None)
    return ShardFiles(
        names=tuple(shard.path for shard in shards),
        compression=compression,
        copies=ShardCopies(storage, shards, scratch, max_bytes=STAGED_BYTES),
    )
