"""What a recipe says of a source whose layout it names: a class for each kind.

`data.folder` and `data.list` are short for sources of which nothing else need be said.
"""

from typing import Annotated, Literal

from pydantic import Field

from components.common.config import Section

Name = Annotated[str, Field(min_length=1)]
ClassNames = Annotated[tuple[Name, ...], Field(min_length=2)]


class Columns(Section):
    """Column, key or feature -> the name that it goes by in the source, where it has another."""

    path: Name | None = None
    """The path of a picture's file."""
    text: Name | None = None
    label: Name | None = None
    split: Name | None = None
    group: Name | None = None
    slice: Name | None = None

    def stated(self) -> dict[str, str]:
        """Returns those that go by another name."""
        return self.model_dump(exclude_none=True)


class StoredColumns(Columns):
    """Columns or features, some of which may hold the examples themselves."""

    image: Name | None = None
    """The bytes of a picture's file."""


class FoldersSource(Section):
    """One sub-folder per class, or splits of such."""

    kind: Literal["folders"]
    path: str


class ListSource(Section):
    """A list that names pictures, or holds texts."""

    kind: Literal["list"]
    path: str
    columns: Columns = Columns()


class MetadataSource(Section):
    """A Hugging Face ImageFolder: `metadata.csv`, `.jsonl` or `.parquet` says what a file is."""

    kind: Literal["metadata"]
    path: str
    columns: Columns = Columns()


class ParquetSource(Section):
    """Parquet files that hold the examples, or their paths, as Hugging Face's hub has them."""

    kind: Literal["parquet"]
    path: str
    columns: StoredColumns = StoredColumns()
    class_names: ClassNames | None = None
    """Of labels that are numbers, where the files don't say."""


class WebDatasetSource(Section):
    """Tar files, in which an example's files stand beside one another under one base name."""

    kind: Literal["webdataset"]
    path: str
    label: Name | None = None
    """Where an example's label is: a file such as `cls`, or a key of a .json such as
    `json.class`; null looks for `cls`, `label`, and a .json's key `label`."""
    class_names: ClassNames | None = None
    """Of labels that are numbers."""


class TFRecordSource(Section):
    """TFRecord files of tf.train.Example."""

    kind: Literal["tfrecord"]
    path: str
    features: StoredColumns
    """Which feature is what: `{image: image/encoded, label: image/class/label}`."""
    class_names: ClassNames | None = None
    """Of labels that are numbers."""


class TFDSSource(Section):
    """A data set as TensorFlow Datasets leaves it on disk, with `dataset_info.json`."""

    kind: Literal["tfds"]
    path: str
    features: StoredColumns = StoredColumns()
    """Which feature is what, where the data set does not say what is to be learned."""


class LabelStudioSource(Section):
    """A JSON export of Label Studio: choices, one for each task."""

    kind: Literal["label_studio"]
    path: str
    """Of the export; pictures lie beside it, or below."""


class CVATSource(Section):
    """An export of CVAT's, as `CVAT for images`: tags, one for each picture."""

    kind: Literal["cvat"]
    path: str
    """The folder that holds annotations.xml."""


class RoboflowSource(Section):
    """An export of Roboflow's with a `_classes.csv` in each split's folder."""

    kind: Literal["roboflow"]
    path: str


AnySource = Annotated[
    FoldersSource
    | ListSource
    | MetadataSource
    | ParquetSource
    | WebDatasetSource
    | TFRecordSource
    | TFDSSource
    | LabelStudioSource
    | CVATSource
    | RoboflowSource,
    Field(discriminator="kind"),
]
