"""A folder of pictures or texts as a listing: its sub-folders name the classes, or splits of them.

The folder is walked first, past litter and what `data.exclude` names, and then understood
from the names of its first two levels: `cat/1.png` is a class and a picture, and
`train/cat/1.png` states a split, too. What could be meant either way is refused.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import PurePosixPath

from components.common.data.layout import stated_split
from components.common.documents.dataset import Split, TaskName
from components.common.errors import UserError
from components.common.tasks.sources import Sources, sources_of
from components.common.words.figures import listing
from components.preprocess.names import find_unseen
from components.preprocess.places import is_remote
from components.preprocess.sources import (
    Listing,
    Sieve,
    SourceRecord,
    is_object_name,
    make_listing,
    object_names,
)

_SHOWN = 5  # Folders named in one message.


def list_folder(folder: str, *, task: TaskName = "image", exclude: Sequence[str] = ()) -> Listing:
    """Lists the examples of a folder; the first level of sub-folders names the classes.

    Where all first-level folders are named like splits (`components/common/data/layout.py`) and
    hold the same sub-folders, these name the classes. Links are followed, but each folder
    is searched once per class.

    Args:
      folder: a path, or `gs://bucket/prefix`.
      task: whose examples it holds.
      exclude: patterns of what is passed over, as `data.exclude` describes them.

    Raises:
      UserError: the folder does not exist, has no sub-folders or a single one, holds no
        file, may mean splits or classes, has a class whose name can't be a label, or a
        link leads back to a folder that contains it.
    """
    sieve, sources = Sieve(exclude), sources_of(task)
    tree = (
        tree_of_objects(object_names(folder), sieve)
        if is_remote(folder)
        else _local_tree(folder, sieve)
    )
    splits = _find_split_folders(folder, tree)
    level = 1 if splits else 0
    class_folders = [path for path in tree.folders if path.count("/") == level]
    if not class_folders:
        raise UserError(
            f"{folder}: has no sub-folders; put the {sources.EXAMPLES} of each class into a "
            "sub-folder that is named like the class"
        )
    for path in sorted(class_folders):
        _check_class_name(folder, path)
    records = [
        record
        for files, misnamed in ((tree.files, False), (tree.misnamed, True))
        for path in files
        if (record := _record(path, splits, level, sources, misnamed=misnamed)) is not None
    ]
    remarks = [f"{folder}: {_describe(splits)}"] if splits else []
    return make_listing(
        folder,
        records,
        {PurePosixPath(path).name for path in class_folders},
        sieve=sieve,
        source=folder,
        examples=sources.EXAMPLES,
        remarks=remarks,
    )


@dataclasses.dataclass(frozen=True)
class Tree:
    """What a source holds, by paths relative to it."""

    files: list[str] = dataclasses.field(default_factory=list)
    misnamed: list[str] = dataclasses.field(default_factory=list)
    """Files that no name opens."""
    folders: set[str] = dataclasses.field(default_factory=set)
    """Of the first two levels, empty ones too."""

    def children(self, folder: str) -> set[str]:
        """Returns the names of the second-level folders in a first-level one."""
        return {path.partition("/")[2] for path in self.folders if path.startswith(f"{folder}/")}


# --- what the names of the first two levels mean ------------------------------------------


def _find_split_folders(folder: str, tree: Tree) -> Mapping[str, Split]:
    """Returns first-level folders and the splits they state; nothing where they are classes."""
    top = sorted(path for path in tree.folders if "/" not in path)
    splits = {name: split for name in top if (split := stated_split(name)) is not None}
    others = [name for name in top if name not in splits]
    if not splits or _is_vehicle(splits, others, tree):
        return {}
    doubt = _find_doubt(splits, others, tree)
    if doubt is None:
        return splits
    raise UserError(
        f"{folder}: {_named(list(splits))} may be splits of one data set, or classes, and {doubt}. "
        "If they are splits, give each the same sub-folders, one per class, and name what is no "
        "split in data.exclude. If they are classes, rename them so that they don't read like "
        "splits. Or state every label and split in a data.list"
    )


def _is_vehicle(splits: Mapping[str, Split], others: Sequence[str], tree: Tree) -> bool:
    """Tells whether `train` is a class beside others, such as cars and ships."""
    alone = [name.casefold() for name in splits] == ["train"]
    return alone and bool(others) and not any(map(tree.children, splits))


def _find_doubt(splits: Mapping[str, Split], others: Sequence[str], tree: Tree) -> str | None:
    """Returns what speaks against reading first-level folders as splits."""
    if others:
        return f"{_named(others)} beside them can only be classes"
    classes = {name: tree.children(name) for name in splits}
    if flat := [name for name, own in classes.items() if not own]:
        return f"{_named(flat)} has no sub-folders"
    training = [own for name, own in classes.items() if splits[name] == "train"]
    if not training:
        return "none of them is for training"
    known = set().union(*training)
    for name, own in classes.items():
        if unknown := sorted(own - known):
            return (
                f"{name} has {_named(unknown)}, which no training split has: "
                f"it has {_named(sorted(known))}"
            )
    return None


def _describe(splits: Mapping[str, Split]) -> str:
    stated = listing([f"{name} ({split})" for name, split in splits.items()])
    return f"the folders state splits, and their sub-folders classes: {stated}"


def _named(names: Sequence[str]) -> str:
    """Returns names so that even those that look alike can be told apart."""
    further = len(names) - _SHOWN
    return listing([*map(ascii, names[:_SHOWN]), *([f"{further} more"] if further > 0 else [])])


def _record(
    path: str, splits: Mapping[str, Split], level: int, sources: Sources, *, misnamed: bool
) -> SourceRecord | None:
    *folders, _ = path.split("/", level + 1)
    shown = os.fsencode(path).decode("utf-8", "backslashreplace") if misnamed else path
    if len(folders) <= level:
        outside = sources.is_named(path)  # Else notes, indexes and the like.
        return SourceRecord(shown, None, misnamed=misnamed) if outside else None
    split = splits[folders[0]] if level else None
    return SourceRecord(shown, folders[level], split, misnamed=misnamed)


def _check_class_name(folder: str, path: str) -> None:
    if not _is_text(path):
        raise UserError(
            f"{folder}: the name of the class folder {os.fsencode(path)!r} is not UTF-8; rename it"
        )
    if found := find_unseen(PurePosixPath(path).name):
        raise UserError(
            f"{folder}: the name of the class folder {ascii(path)} holds {found}, which breaks "
            "a line or can't be seen, so that no list of labels could hold it; rename it"
        )


# --- walking -----------------------------------------------------------------------------


def tree_of_objects(names: Iterable[str], sieve: Sieve) -> Tree:
    """Returns the tree of a bucket, whose folders are what objects' names say: none is empty.

    Args:
      names: of all objects, relative to the root.
      sieve: what they go through.
    """
    tree, kept = Tree(), dict[str, bool]()

    def keeps(folder: str) -> bool:
        if folder not in kept:
            above = folder.rpartition("/")[0]
            kept[folder] = (not above or keeps(above)) and sieve.keeps_entry(folder)
            if kept[folder] and folder.count("/") < 2:
                tree.folders.add(folder)
        return kept[folder]

    for name in names:
        folder, _, _ = name.rpartition("/")
        first = name.partition("/")[0]
        if not is_object_name(name):
            if not first or keeps(first):
                tree.misnamed.append(name)
        elif (not folder or keeps(folder)) and sieve.keeps_entry(name):
            tree.files.append(name)
    return tree


_FolderId = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class _Visit:
    """A folder to be walked."""

    path: str
    relative: str
    above: tuple[_FolderId, ...]
    searched: set[_FolderId]
    """Folders of the same class that were walked before."""


def _local_tree(root: str, sieve: Sieve) -> Tree:
    """Walks a folder in depth, in the order of names."""
    if not os.path.isdir(root):
        raise UserError(f"{root}: is not a folder; data.folder needs one sub-folder per class")
    tree, visits = Tree(), [_Visit(root, "", (), set())]
    while visits:
        visit = visits.pop()
        with _readable(visit.path):
            own, entries = _folder_id(visit.path), _kept_entries(visit, sieve)
        if own in visit.above:
            raise UserError(
                f"{visit.path}: this link leads back to a folder that contains it; remove the link"
            )
        if own in visit.searched:
            continue
        visit.searched.add(own)
        for path, entry in entries:
            if _is_folder(entry):
                visits.append(_below(visit, own, path, entry))
                if path.count("/") < 2:
                    tree.folders.add(path)
            else:  # Whatever it is: reading tells what is missing, a pipe or a device.
                (tree.files if _is_text(path) else tree.misnamed).append(path)
    return tree


def _kept_entries(visit: _Visit, sieve: Sieve) -> list[tuple[str, os.DirEntry[str]]]:
    """Returns relative paths and entries, past what is not wanted; those walked last first."""
    prefix = f"{visit.relative}/" if visit.relative else ""
    with os.scandir(visit.path) as entries:
        found = sorted(entries, key=attrgetter("name"), reverse=True)
    return [(path, entry) for entry in found if sieve.keeps_entry(path := prefix + entry.name)]


def _below(visit: _Visit, own: _FolderId, path: str, entry: os.DirEntry[str]) -> _Visit:
    first, _, rest = path.partition("/")
    opens_class = not rest or ("/" not in rest and stated_split(first) is not None)
    searched = set() if opens_class else visit.searched
    return _Visit(entry.path, path, (*visit.above, own), searched)


@contextlib.contextmanager
def _readable(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: the folder can't be read: {error.strerror}; mend it, or name it in "
            "data.exclude"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _folder_id(folder: str) -> _FolderId:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_text(path: str) -> bool:
    """Tells whether a name on disk is UTF-8."""
    return path.isascii() or not any("\ud800" <= char <= "\udfff" for char in path)
