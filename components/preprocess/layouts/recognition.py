"""Which layout a source has: as the recipe says, or as its files tell.

Files tell by their names and places. Where two layouts are told of, nobody can know which one is
meant: both are named, with what tells of them, and the recipe must say.
"""

import os
import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from components.common.data.layout import stated_split, told_layout
from components.common.documents.dataset import TaskName
from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.common.words.figures import shown
from components.preprocess.config import PreprocessConfig
from components.preprocess.folders import list_classes
from components.preprocess.kinds import (
    AnySource,
    Columns,
    CVATSource,
    FoldersSource,
    LabelStudioSource,
    ListSource,
    MetadataSource,
    ParquetSource,
    RoboflowSource,
    TFDSSource,
    WebDatasetSource,
)
from components.preprocess.layouts import (
    cvat,
    label_studio,
    metadata,
    parquet,
    roboflow,
    tfds,
    tfrecords,
    webdataset,
)
from components.preprocess.layouts.layout import Found, Source, either
from components.preprocess.lists import StatedGroups, check_labels, list_file
from components.preprocess.places import is_remote
from components.preprocess.sources import Listing, Sieve, make_listing
from components.preprocess.trees import Tree, walk_source

_LAYOUTS: Mapping[str, Callable[[Source, Any], Found]] = {
    "metadata": metadata.list_records,
    "parquet": parquet.list_records,
    "webdataset": webdataset.list_records,
    "tfrecord": tfrecords.list_records,
    "tfds": tfds.list_records,
    "label_studio": label_studio.list_records,
    "cvat": cvat.list_records,
    "roboflow": roboflow.list_records,
}
"""By the kind that a recipe names."""

_PLAIN: Mapping[str, Callable[[str], AnySource]] = {
    "metadata": lambda path: MetadataSource(kind="metadata", path=path),
    "parquet": lambda path: ParquetSource(kind="parquet", path=path),
    "webdataset": lambda path: WebDatasetSource(kind="webdataset", path=path),
    "tfds": lambda path: TFDSSource(kind="tfds", path=path),
    "cvat": lambda path: CVATSource(kind="cvat", path=path),
    "roboflow": lambda path: RoboflowSource(kind="roboflow", path=path),
}
"""Of those that files tell of, a source of which nothing else is said."""

_WORDS: Mapping[str, str] = {
    "folders": "one sub-folder per class",
    "list": "a list",
    "metadata": "pictures with metadata, as Hugging Face's ImageFolder",
    "parquet": "Parquet files that hold the examples",
    "webdataset": "tar files, as WebDataset",
    "tfrecord": "TFRecord files",
    "arrow": "a saved data set of Hugging Face's library",
    "tfds": "a data set of TensorFlow Datasets",
    "label_studio": "an export of Label Studio's",
    "cvat": "an export of CVAT's",
    "roboflow": "an export of Roboflow's",
}


def list_folder_as_told(
    root: str, *, task: TaskName = "image", exclude: Sequence[str] = ()
) -> Listing:
    """Lists a folder in the layout that its files tell of; see `list_source`.

    Raises:
      UserError: they tell of none, or of several.
    """
    sieve = Sieve(exclude)
    source = Source(root, walk_source(root, sieve), sieve, task)
    told = _tell_layouts(source)
    if "arrow" in told:
        raise UserError(
            f"{root}: holds {told['arrow']}, a file of Arrow, as Hugging Face's library saves "
            "data sets; write each split into a folder, by to_parquet('train.parquet') and the "
            "like, and give that; or name the file in data.exclude, where it is no part of the data"
        )
    if len(told) > 1:
        readings = [f"{_WORDS[kind]} (there is {path}: kind {kind})" for kind, path in told.items()]
        raise UserError(
            f"{root}: may be {either(readings)}; say which one, by data.source: {{kind: "
            f"{next(iter(told))}, path: {root}}}, or name in data.exclude what is no part of it"
        )
    kind = next(iter(told), "folders")
    if kind == "folders":
        _check_below(source, told)
        _check_repeated(source)
        return list_classes(root, source.tree, sieve, task=task)
    if kind == "tfrecord":
        raise UserError(
            f"{root}: holds TFRecord files, whose features have no fixed names; "
            f"{tfrecords.describe_features(source, told[kind])}"
        )
    return _list(source, _PLAIN[kind](root), told=told[kind])


def list_stated(
    config: PreprocessConfig, located: Callable[[str], str] = lambda location: location
) -> Listing:
    """Lists the folder, the list or the source that a recipe states.

    Args:
      config: states one of them.
      located: returns a location as it is found.
    """
    task, exclude = config.task, config.exclude
    if config.folder is not None:
        return list_folder_as_told(located(config.folder), task=task, exclude=exclude)
    source = config.source
    if config.list is not None:
        columns = config.columns or Columns()
        source = ListSource(kind="list", path=config.list, columns=columns)
    assert source is not None  # A sample is no location.
    stated = source.model_copy(update={"path": located(source.path)})
    return list_source(stated, task=task, exclude=exclude)


def list_source(
    stated: AnySource, *, task: TaskName = "image", exclude: Sequence[str] = ()
) -> Listing:
    """Lists a source in the layout that the recipe names.

    Args:
      stated: the layout, where it is, and what else there is to say of it.
      task: whose examples it holds.
      exclude: patterns of what is passed over, as `data.exclude` describes them.

    Raises:
      UserError: the source is not laid out so, is damaged, or may mean two things.
    """
    if isinstance(stated, ListSource):
        columns = stated.columns.stated()
        return list_file(stated.path, task=task, exclude=exclude, columns=columns)
    root, sieve = stated.path, Sieve(exclude)
    if isinstance(stated, LabelStudioSource):
        if not is_remote(root) and not os.path.isfile(root):
            raise UserError(f"{root}: is no file; give the .json that Label Studio exported")
        root = posixpath.dirname(root if is_remote(root) else os.path.abspath(root))
    tree = walk_source(root, sieve)
    if isinstance(stated, FoldersSource):
        return list_classes(root, tree, sieve, task=task)
    return _list(Source(root, tree, sieve, task), stated)


def _list(source: Source, stated: AnySource, *, told: str = "") -> Listing:
    found = _LAYOUTS[stated.kind](source, stated)
    groups = StatedGroups()
    for record in found.records:
        where = f"{source.root}, {record.path}"
        groups.check(record, record.path, where=where)
    class_names = {record.label for record in found.records if record.label is not None}
    check_labels(source.root, class_names)
    understood = [f"{source.root}: is read as {_WORDS[stated.kind]}, for there is {told}"]
    return make_listing(
        source.root,
        found.records,
        class_names.union(found.class_names),
        sieve=source.sieve,
        source=source.root,
        examples=sources_of(source.task).EXAMPLES,
        remarks=[*(understood if told else ()), *found.remarks],
    )


def _tell_layouts(source: Source) -> Mapping[str, str]:
    """Returns the layouts that a source may have, each with a file that tells of it."""
    told: dict[str, str] = {}
    for path in sorted(source.tree.files):
        if (kind := told_layout(path)) is not None:
            told.setdefault(kind, path)
    if "tfds" in told:
        if source.holds(tfds.FEATURES):
            told.pop("tfrecord", None)  # They are its shards.
        else:
            del told["tfds"]
    example = _find_example(source.tree, source.task)
    if "metadata" in told and not _names_files(source):
        del told["metadata"]
    if "metadata" in told and _has_labels(source):
        return told  # Then folders name no classes.
    if example is not None and not {"cvat", "roboflow"} & told.keys():
        told["folders"] = example
    return told


def _check_below(source: Source, told: Collection[str]) -> None:
    """Refuses a folder that holds no classes, and sub-folders that would tell of a layout."""
    top = [path for path in source.tree.folders if "/" not in path]
    if told and (len(top) > 1 or stated_split(top[0]) is not None):
        return
    below: dict[str, tuple[str, str]] = {}
    for path in sorted(source.tree.files):
        folder, _, name = path.rpartition("/")
        kind = told_layout(name)
        if told and "/" in folder:
            continue  # What it is in is no class either.
        if kind == "tfds" and not source.holds(f"{folder}/{tfds.FEATURES}"):
            continue  # Hugging Face's library writes a file of that name, too.
        if kind is not None:
            if stated_split(posixpath.basename(folder)) is not None:
                folder = posixpath.dirname(folder)
            below.setdefault(folder, (path, _WORDS[kind]))
    if below:
        path, words = next(iter(below.values()))
        one_of = "one of " if len(below) > 1 else ""
        raise UserError(
            f"{source.root}: holds no folders of classes, but {path}, which tells of {words}; "
            f"give {one_of}{shown(list(map(source.named, below)))}"
        )


def _check_repeated(source: Source) -> None:
    """Refuses folders that hold the same ones: either may name classes."""
    top = sorted(path for path in source.tree.folders if "/" not in path)
    if len(top) < 2 or any(map(stated_split, top)):
        return
    same = source.tree.children(top[0])
    for name in top[1:]:
        if not same:
            return
        same &= source.tree.children(name)
    if len(same) > 1 or any(map(stated_split, same)):
        above, below = shown(list(map(repr, top))), shown(list(map(repr, sorted(same))))
        raise UserError(
            f"{source.root}: {above} each hold {below}, and either may be the classes; where the "
            f"former are, say data.source: {{kind: folders, path: {source.root}}}; else lay them "
            "out as CLASS or SPLIT/CLASS, or name in data.exclude what is no part of the data"
        )


def _find_example(tree: Tree, task: TaskName) -> str | None:
    """Returns a file that may be an example of the class that its folder names."""
    is_named = sources_of(task).is_named
    return next((path for path in tree.files if "/" in path and is_named(path)), None)


def _names_files(source: Source) -> bool:
    return any(_has_column(source, metadata.FILE_NAME))


def _has_labels(source: Source) -> bool:
    return all(_has_column(source, "label"))


def _has_column(source: Source, name: str) -> list[bool]:
    def has(path: str) -> bool:
        try:
            return metadata.has_column(source, path, name)
        except UserError:  # Notes of somebody's, which have the name by chance.
            return False

    return [has(path) for path in metadata.find_metadata(source)]
