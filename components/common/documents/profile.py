"""What the examples of a data set are, by the words and numbers that a schema may bound."""

from collections.abc import Mapping
from typing import ClassVar

from components.common.documents.base import Document, Part


class Seen(Part):
    """The examples of one word, such as those of the format JPEG."""

    examples: int
    """How many there are."""
    paths: tuple[str, ...]
    """Of a few of them, in the source."""


class Measured(Part):
    path: str
    """In the source."""
    value: float


class Extremes(Part):
    """The ends of a number that every example has."""

    least: tuple[Measured, ...]
    """The smallest, these first; as many as have room."""
    greatest: tuple[Measured, ...]
    """The largest, likewise."""


class DataProfile(Document):
    """What preprocess found; beside the manifest."""

    file_name: ClassVar[str] = "profile.json"

    values: Mapping[str, Mapping[str, Seen]]
    """Name, such as format -> word -> its examples."""
    ranges: Mapping[str, Extremes]


NO_PROFILE = DataProfile(values={}, ranges={})
