"""The features of an example: what a record holds of one labelled text.

Whoever writes or reads records, with TensorFlow or without, takes names and types from here.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from components.common.data.features import decode_features, encode_features


@dataclasses.dataclass(frozen=True)
class Example:
    """One labelled text; each field is a feature of its tf.train.Example.

    The three lists are what a device feeds a model, each as long as the manifest's TextSpec says.
    """

    id: str
    """Hexadecimal digest that names the example."""
    text: str
    """As much of it as became tokens, to be shown."""
    input_ids: list[int]
    input_mask: list[int]
    """1 for each token, 0 after the last."""
    segment_ids: list[int]
    """0."""
    label: int
    """Index into the manifest's class_names."""
    slice: str = ""
    """Name of the slice that it belongs to, empty for none."""
    rest: str = ""
    """What follows `text`, as far as another vocabulary may make it into tokens of the example."""

    @property
    def whole(self) -> str:
        return self.text + self.rest


FEATURES: Mapping[str, Any] = get_type_hints(Example)
"""Name -> the type of its value."""


def encode_example(example: Example) -> bytes:
    """Returns the serialized tf.train.Example: deterministic bytes."""
    return encode_features({name: getattr(example, name) for name in FEATURES})


def decode_example(serialized: bytes) -> Example:
    """Parses what `encode_example` wrote.

    Raises:
      ValueError: it is no such example.
    """
    example = Example(**decode_features(serialized, FEATURES))
    lengths = {len(example.input_ids), len(example.input_mask), len(example.segment_ids)}
    if len(lengths) != 1:
        raise ValueError(f"an example's three lists have {sorted(lengths)} numbers, not as many")
    return example
