"""What preprocess is told: where the labelled files are, and how they become a data set."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from components.common.config import Section, StageConfig
from components.common.documents.dataset import TaskName
from components.common.documents.near_copies import Treatment
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.tasks.text.settings import TextSettings
from components.preprocess.kinds import AnySource, Columns
from components.preprocess.names import find_unseen

SOURCES = ("folder", "list", "sample", "source")
"""The keys of which a recipe gives one."""

Sample = Literal["digits", "tweets"]
SAMPLE_RECORDS: dict[Sample, int] = {"digits": 1797, "tweets": 38158}
SAMPLE_TASKS: dict[Sample, TaskName] = {"digits": "image", "tweets": "text"}


def _check_pattern(pattern: str) -> str:
    if not PurePosixPath(pattern).parts or pattern.startswith("/"):
        raise ValueError(
            "expected a pattern such as raw or train/*.tmp, relative to the folder or list"
        )
    return pattern


def _check_label(name: str) -> str:
    if not name.strip() or find_unseen(name):
        raise ValueError("expected the name of a class: of characters that can be seen, on a line")
    return name


class Splits(Section):
    """Shares of the examples, assigned by a hash of each example's group or content.

    Examples whose split the source states stay there. A split that it never states is taken
    out of the stated training examples, where it states one for all.
    """

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test: Annotated[float, Field(gt=0, lt=1)] = 0.15

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test must sum to 1, not {total:g}")
        return self


class Source(Section):
    """Where labelled files are: one of `folder`, `list`, `sample`, `source`."""

    folder: str | None = None
    """A folder with one sub-folder per class, searched in depth; or with sub-folders named
    train, validation and test (or as usual), each with one sub-folder per class; or in another
    layout that its files tell of."""
    list: str | None = None
    """A .csv, .tsv, .jsonl or .parquet file: path (of a file) or text, label, and optionally split,
    group, slice; what has one group is never parted."""
    sample: Sample | None = None
    """A data set that comes with an installed package."""
    source: AnySource | None = None
    """A source whose layout is named: `{kind: webdataset, path: shards}`; docs/data.md has the
    kinds."""

    columns: Columns | None = None
    """How the columns of `list` are called there, where they have other names:
    `{path: image, label: class}`."""

    labels: Mapping[str, Annotated[str, AfterValidator(_check_label)]] = {}
    """What a class of the source is called here, where not as there: `{spam-1: spam, spam-2: spam}`
    makes one class of two."""
    exclude: tuple[Annotated[str, AfterValidator(_check_pattern)], ...] = ()
    """What is passed over, as litter of systems and NAS is anyway: glob patterns, matched from
    the right as by Python's `PurePath.match` with the path below the folder or list, and each
    folder on the way: `raw` is any file or folder of that name, `train/*.tmp` asks for both."""


class PreprocessConfig(StageConfig, PictureSettings, Source):
    """The recipe's `data` section: one of `folder`, `list`, `sample`, `source`.

    A recipe may leave open which, as the shipped ones do; a run is given one.
    """

    # What a source's records are is in its fingerprint, however they were found.
    locations: ClassVar[frozenset[str]] = frozenset(
        {"folder", "list", "source", "columns", "encoder"}
    )
    filled_in: ClassVar[frozenset[str]] = frozenset({"encoder"})

    text: TextSettings | None = None
    """Given, the data are texts."""
    encoder: str = "minilm_l6"
    """Whose vocabulary texts are made into tokens by: as train.encoder."""

    max_examples: Annotated[int, Field(ge=1)] | None = None
    """So many are taken, chosen by a hash of what they are, with the rest of their groups; null
    takes all."""
    splits: Splits = Splits()
    shards: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Shards of the training split; null chooses a power of two by the source's bytes."""
    compression: Literal["none", "gzip"] = "none"
    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The run stops when a greater share of the records is rejected; copies don't count."""
    near_copies: Treatment | None = None
    """What becomes of an example that is nearly the same as one of an earlier split, of train,
    validation and test; null does what suits the task."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give exactly one of {', '.join(SOURCES)}; got {', '.join(given)}")
        if self.columns is not None and self.list is None:
            raise ValueError("columns: names those of a list; state data.list, or remove it")
        return self

    @model_validator(mode="after")
    def _sample_of_the_task(self) -> Self:
        if self.sample is not None and SAMPLE_TASKS[self.sample] != self.task:
            raise ValueError(
                f"sample {self.sample}: is for recipes with `task: {SAMPLE_TASKS[self.sample]}`, "
                f"and this one has {self.task}"
            )
        return self

    @property
    def task(self) -> TaskName:
        return "image" if self.text is None else "text"

    @property
    def examples(self) -> PictureSettings | TextSettings:
        """Returns what is said of how records become examples."""
        return self if self.text is None else self.text

    def has_source(self) -> bool:
        return any(getattr(self, name) is not None for name in SOURCES)
