"""What names a source holds, on this machine or in a bucket, past litter and what is excluded."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from operator import attrgetter

from components.common.data.layout import stated_split
from components.common.errors import UserError
from components.preprocess.places import is_remote
from components.preprocess.sources import Sieve, is_object_name, object_names


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


def walk_source(root: str, sieve: Sieve) -> Tree:
    """Returns what a folder holds, or a bucket below a prefix.

    Links are followed, but each folder is walked once per class.

    Raises:
      UserError: there is no such folder, it can't be read, or a link leads back to a folder
        that contains it.
    """
    if is_remote(root):
        return tree_of_objects(object_names(root), sieve)
    return _local_tree(root, sieve)


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
    if os.path.isfile(root):
        raise UserError(
            f"{root}: is a file, where a folder is expected; unpack an archive, or give the folder "
            "that a container lies in"
        )
    if not os.path.isdir(root):
        raise UserError(f"{root}: there is no such folder")
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
                (tree.files if is_text(path) else tree.misnamed).append(path)
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


def is_text(path: str) -> bool:
    """Tells whether a name on disk is UTF-8."""
    return path.isascii() or not any("\ud800" <= char <= "\udfff" for char in path)
