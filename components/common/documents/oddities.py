"""Which examples are unlike most, or show hardly anything."""

from collections.abc import Mapping
from typing import ClassVar

from components.common.documents.base import Document, Part
from components.common.documents.placed import Placed
from components.common.words.figures import shown


class OddExample(Part):
    placed: Placed
    detail: str
    """How it is odd."""


class Oddity(Part):
    """What is odd in one way."""

    examples: int
    """How many there are."""
    shown: tuple[OddExample, ...]
    """The oddest of them, these first."""

    def named(self) -> str:
        """Returns a few of them in words, each with how it is odd."""
        names = [f"{odd.placed.path} ({odd.detail})" for odd in self.shown]
        return shown(names, of=self.examples)


class Oddities(Document):
    """What preprocess found; beside the manifest."""

    file_name: ClassVar[str] = "oddities.json"

    kinds: Mapping[str, Oddity]
    """By the task's own names; those alone of which there are examples."""


NO_ODDITIES = Oddities(kinds={})
