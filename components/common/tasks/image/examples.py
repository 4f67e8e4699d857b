"""The labelled pictures that a manifest's shards hold, read without TensorFlow."""

from collections.abc import Iterator

from components.common.data.examples import read_split
from components.common.documents.dataset import DatasetManifest, Split
from components.common.storage import Storage
from components.common.tasks.image.features import Example, decode_example


def read_examples(manifest: DatasetManifest, split: Split, storage: Storage) -> Iterator[Example]:
    """Yields a split's examples in the order of its shards.

    Raises:
      UserError: a shard is missing or damaged.
    """
    return read_split(manifest, split, storage, decode_example)
