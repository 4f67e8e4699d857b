"""What a look at a source found, before anything was made of it; `data inspect` shows it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from components.common.documents.base import Part
from components.common.documents.dataset import Split, TaskName


class Spread(Part):
    """How far sizes reach."""

    smallest: int
    median: int
    largest: int


class ClassCounts(Part):
    """How many examples of a class are in each split."""

    name: str
    examples: Mapping[Split, int]


class SourceInspection(Part):
    """What was understood of a source."""

    source: str
    task: TaskName
    understood: tuple[str, ...]
    """How it is laid out, a sentence each."""
    stated: Mapping[Split, int]
    """Of the examples, how many the source states each split for; a hash deals out the others."""
    classes: tuple[ClassCounts, ...]
    records: int
    rejects: Mapping[str, int]
    rejected: tuple[str, ...]
    """Some of the rejects, a line each."""
    notes: Mapping[str, int]
    passed_over: Mapping[str, int]
    groups: int
    size_bytes: int
    """Of all examples together."""
    bytes: Spread | None
    """Of an example; None without any."""
    looked_at: Annotated[int, Field(ge=0)]
    """So many examples were opened."""
    formats: Mapping[str, int]
    """Of those that were opened."""
    sides: Spread | None
    """Pixels of the longer side of those, or characters of texts."""
    unreadable: tuple[str, ...]
    """Those that could not be opened, a line each."""
    refusal: str | None = None
    """Why a run would stop at what is rejected; None where it would not."""

    @property
    def examples(self) -> int:
        return sum(count for each in self.classes for count in each.examples.values())
