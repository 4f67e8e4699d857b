"""The features of an example: what a record holds of one labelled picture.

Whoever writes or reads records, with TensorFlow or without, takes names and types from here.
"""

import dataclasses
from collections.abc import Mapping
from typing import get_type_hints

from components.common.data.features import decode_features, encode_features


@dataclasses.dataclass(frozen=True)
class Example:
    """One labelled picture; each field is a feature of its tf.train.Example."""

    id: str
    """Hexadecimal digest that names the example."""
    image: bytes
    """The encoded picture, as the manifest's ImageSpec says."""
    label: int
    """Index into the manifest's class_names."""
    slice: str = ""
    """Name of the slice that it belongs to, empty for none."""


FEATURES: Mapping[str, type] = get_type_hints(Example)
"""Name -> the type of its one value."""


def encode_example(example: Example) -> bytes:
    """Returns the serialized tf.train.Example: deterministic bytes."""
    return encode_features({name: getattr(example, name) for name in FEATURES})


def decode_example(serialized: bytes) -> Example:
    """Parses what `encode_example` wrote.

    Raises:
      ValueError: it is no such example.
    """
    return Example(**decode_features(serialized, FEATURES))
