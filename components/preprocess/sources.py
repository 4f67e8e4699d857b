"""Where pictures come from: a folder with one sub-folder per class, or a list file.

Both lie on this machine or in a bucket, and become a Listing: records with paths relative
to one root, so that the same data in another place is the same listing. Nothing is read
here but names and the list itself.
"""

import csv
import dataclasses
import io
import json
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

from components.common.documents import SPLITS, Split
from components.common.errors import UserError
from components.common.storage import open_storage
from components.preprocess.files import NotAFileError, read_file
from components.preprocess.formats import named_format

COLUMNS = ("path", "label", "split", "group", "slice")


@dataclasses.dataclass(frozen=True, slots=True)
class SourceRecord:
    """One labelled picture, before anything is known of its content."""

    path: str
    """Relative to the listing's root, with forward slashes."""
    label: str | None
    """None for a picture that lies outside every class."""
    split: Split | None = None
    group: str = ""
    """Records of one group never part into different splits."""
    slice: str = ""

    def values(self) -> tuple[str, ...]:
        """Returns all there is to know: what records are sorted and told apart by."""
        return (self.path, self.label or "", self.split or "", self.group, self.slice)


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds."""

    root: str
    records: tuple[SourceRecord, ...]
    class_names: tuple[str, ...]
    """Sorted; the class of an empty folder is one, too."""


def list_folder(folder: str) -> Listing:
    """Lists the pictures of a folder; the first level of sub-folders names the classes.

    Hidden files and folders are left out. Links are followed, but each folder is searched
    once per class.

    Args:
      folder: a path, or `gs://bucket/prefix`.

    Raises:
      UserError: the folder does not exist, has no sub-folders or a single one, holds no
        file, or a link leads back to a folder that contains it.
    """
    paths, empty_classes = _bucket_paths(folder) if is_remote(folder) else _local_paths(folder)
    records = [
        SourceRecord(path, path.split("/")[0] if "/" in path else None)
        for path in paths
        if "/" in path or named_format(path) is not None
    ]
    class_names = {record.label for record in records if record.label is not None} | empty_classes
    if not class_names:
        raise UserError(
            f"{folder}: has no sub-folders; put the pictures of each class into a sub-folder "
            "that is named like the class"
        )
    return _listing(folder, records, sorted(class_names))


def list_file(path: str) -> Listing:
    """Lists the pictures that a .csv (with a header) or .jsonl file names.

    Columns or keys: path (relative to the file's folder) and label; optionally split,
    group and slice.

    Args:
      path: of the list, or `gs://bucket/path`.

    Raises:
      UserError: the file is missing or of another kind, a column is missing or unknown, or
        a line holds no path, no label or an unknown split; names the line.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    reader = readers.get(PurePosixPath(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: data.list must be a .csv or a .jsonl file")
    root, name = os.path.split(path if is_remote(path) else os.path.abspath(path))
    try:
        text = open_source(root)(name).decode("utf-8-sig")
    except (FileNotFoundError, NotAFileError) as error:
        raise UserError(
            f"{path}: there is no such file; data.list names a .csv or .jsonl file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text: {error}") from error
    records = [_record(row, root, where=f"{path}, line {line}") for line, row in reader(text, path)]
    return _listing(root, records, sorted({record.label or "" for record in records}), path)


def open_source(root: str) -> Callable[[str], bytes]:
    """Returns what reads the files of a listing, by their paths relative to its root."""
    if is_remote(root):
        return open_storage(root).read
    return lambda path: read_file(Path(root, path))


def is_remote(location: str) -> bool:
    return "://" in location


_FolderId = tuple[int, int]


def _listing(
    root: str,
    records: list[SourceRecord],
    class_names: Sequence[str],
    source: str | None = None,
) -> Listing:
    source = source or root
    if not records:
        raise UserError(f"{source}: holds no pictures")
    if len(class_names) < 2:
        raise UserError(
            f"{source}: has a single class, {class_names[0]!r}; a classifier needs two or more"
        )
    return Listing(root, tuple(sorted(records, key=SourceRecord.values)), tuple(class_names))


def _bucket_paths(folder: str) -> tuple[list[str], set[str]]:
    """Returns the paths of all objects below a prefix; a bucket has no empty folders."""
    names = (blob.name for blob in open_storage(folder).list(""))
    return [name for name in names if not any(part[:1] == "." for part in name.split("/"))], set()


def _local_paths(folder: str) -> tuple[list[str], set[str]]:
    """Returns the paths of all files below a folder, and the sub-folders that have none."""
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: is not a folder; data.folder needs one sub-folder per class")
    paths, empty = [], set()
    for entry in _visible_entries(folder):
        if not _is_folder(entry):
            paths.append(entry.name)
            continue
        found = list(_search(entry.path, entry.name, (_folder_id(folder),), set()))
        paths.extend(found)
        if not found:
            empty.add(entry.name)
    for path in (*paths, *empty):
        _check_name(path, folder)
    return paths, empty


def _search(
    folder: str, relative: str, above: tuple[_FolderId, ...], searched: set[_FolderId]
) -> Iterator[str]:
    """Yields the paths of the files below a folder, in depth, in the order of names."""
    own = _folder_id(folder)
    if own in above:
        raise UserError(
            f"{folder}: this link leads back to a folder that contains it; remove the link"
        )
    if own in searched:
        return
    searched.add(own)
    for entry in _visible_entries(folder):
        path = f"{relative}/{entry.name}"
        if _is_folder(entry):
            yield from _search(entry.path, path, (*above, own), searched)
        elif entry.is_symlink() or entry.is_file():  # A link that leads nowhere is missing.
            yield path


def _visible_entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{folder}: the folder can't be read: {error.strerror}") from error
    return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _folder_id(folder: str) -> _FolderId:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _check_name(path: str, folder: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{folder}: the name {os.fsencode(path)!r} is not UTF-8; rename the file"
        ) from error


def _read_csv(text: str, path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        _check_columns(columns, where=f"{path}, line 1")
        for row in reader:
            if None in row or None in row.values():
                raise UserError(
                    f"{path}, line {reader.line_num}: expected {len(columns)} values, as in the "
                    "header"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from error


def _read_jsonl(text: str, path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Not splitlines, which would also part at characters that JSON allows within text.
    for line, row_text in enumerate(text.split("\n"), start=1):
        if not row_text.strip():
            continue
        where = f"{path}, line {line}"
        try:
            row = json.loads(row_text)
        except ValueError as error:
            raise UserError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise UserError(f'{where}: expected an object such as {{"path": …, "label": …}}')
        _check_columns(row, where=where)
        yield line, row


def _check_columns(columns: Iterable[str], *, where: str) -> None:
    present = set(columns)
    for required in ("path", "label"):
        if required not in present:
            raise UserError(
                f"{where}: there is no {required!r}; expected path, label and optionally "
                "split, group, slice"
            )
    if unknown := sorted(present - set(COLUMNS)):
        raise UserError(
            f"{where}: unknown {', '.join(map(repr, unknown))}; allowed are {', '.join(COLUMNS)}"
        )


def _record(row: Mapping[str, Any], root: str, *, where: str) -> SourceRecord:
    values = {name: _text(row.get(name), name, where) for name in COLUMNS}
    for required in ("path", "label"):
        if not values[required]:
            raise UserError(f"{where}: the {required} is empty")
    if values["split"] not in ("", *SPLITS):
        raise UserError(
            f"{where}: unknown split {values['split']!r}; allowed are {', '.join(SPLITS)}, "
            "or nothing to let a hash decide"
        )
    return SourceRecord(
        path=_relative(values["path"], root, where),
        label=values["label"],
        split=cast("Split | None", values["split"] or None),
        group=values["group"],
        slice=values["slice"],
    )


def _relative(path: str, root: str, where: str) -> str:
    """Returns a path relative to the list, absolute ones too: where data lies is no identity."""
    if not is_remote(root):
        return os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
    below = path.removeprefix(f"{root}/")
    relative = posixpath.normpath(below)
    if is_remote(below) or relative.startswith(("/", "..")):
        raise UserError(f"{where}: {path} does not lie below {root}, where the list is")
    return relative


def _text(value: Any, name: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UserError(f"{where}: {name} must be text, not {value!r}")
    return str(value).strip()
