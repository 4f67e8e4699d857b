"""The dataset manifest, which preprocess writes."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from components.common.documents.base import Document, Lineage, Part
from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.documents.text import TextSpec, TextStatistics

TaskName = Literal["image", "text"]
"""What kind of data a model takes: a package of `components/common/tasks/`."""

ExampleSpec = Annotated[ImageSpec | TextSpec, Field(discriminator="task")]
"""How examples lie in the shards."""

Statistics = Annotated[PixelStatistics | TextStatistics, Field(discriminator="task")]

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Shard(Part):
    """One TFRecord file."""

    path: str
    """Relative to the data root."""
    examples: int
    size_bytes: int
    crc32c: int


class SplitExamples(Part):
    examples: int
    shards: tuple[Shard, ...]
    examples_per_class: tuple[int, ...]
    """Aligned with the manifest's class_names."""


class Trait(Part):
    """A number that every example has, such as its width, and how it is distributed."""

    name: str
    edges: tuple[float, ...]
    """Where bins meet, ascending; the first and the last bin are open."""
    examples: Mapping[Split, tuple[int, ...]]
    """How many lie in each bin."""


class DatasetManifest(Document):
    """The data set as the stages see it: small; the shards stay under the data root.

    Beside it lie `rejects.jsonl`: path, reason and detail of every rejected record;
    `notes.jsonl`: path, note and detail of every example with something odd about it;
    `membership.npz`: which example is in which split; `near_copies.json`: which are nearly the
    same; `oddities.json`: which are unlike most; `profile.json`: what they are; and
    `paths.jsonl`: where some of them lie in the source.
    """

    file_name: ClassVar[str] = "dataset.json"

    IDENTITY: ClassVar[frozenset[str]] = frozenset(
        {"schema_version", "class_names", "spec", "compression", "splits", "slices"}
    )
    """The fields that say what the examples are. They alone enter the keys of later stages."""
    PROVENANCE: ClassVar[frozenset[str]] = frozenset(
        {
            "source_fingerprint",
            "statistics",
            "traits",
            "rejects",
            "notes",
            "passed_over",
            "records",
            "lineage",
        }
    )
    """The fields that say where the examples came from, or what is told of them. No stage that
    is answered from the store may read them."""

    class_names: tuple[str, ...]
    spec: ExampleSpec
    compression: Literal["gzip", "none"]
    splits: Mapping[Split, SplitExamples]
    source_fingerprint: str
    statistics: Statistics
    traits: tuple[Trait, ...] = ()
    """Empty, where no example has been made."""
    rejects: Mapping[str, int]
    """Reason -> count."""
    notes: Mapping[str, int] = {}
    """What is odd about examples that are used all the same -> count."""
    passed_over: Mapping[str, int] = {}
    """Kind of litter, or `exclude PATTERN` -> how many entries of the source were no records;
    a folder counts as one."""
    records: int
    """How many records the source held, rejected ones included."""
    slices: tuple[str, ...]
    """Names of the slices that examples may belong to; empty where the source has none."""
    lineage: Lineage

    @property
    def task(self) -> TaskName:
        return self.spec.task

    def identity(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include=set(self.IDENTITY))
