"""A list as a listing: a .csv or .tsv with a header, a .jsonl with one object a line, a .parquet.

A list names pictures by their paths, or holds texts themselves. What rows of it say is refused
where it could be no label, no split or no path, naming the line.
"""

import dataclasses
import glob
import math
import os
import posixpath
import re
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.common.data.layout import SPLIT_OF_NAME, stated_split
from components.common.documents.dataset import SPLITS, Split, TaskName
from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.preprocess.files import NotAFileError, TooLargeError
from components.preprocess.names import find_unseen, find_unusable
from components.preprocess.places import is_remote
from components.preprocess.rows import (
    MOST_BYTES,
    READABLE,
    READABLE_WORDS,
    Table,
    is_object,
    read_rows,
)
from components.preprocess.sources import (
    Listing,
    Sieve,
    SourceRecord,
    is_object_name,
    make_listing,
    open_files,
    remark_ignored,
)

OPTIONAL = ("split", "group", "slice")
"""What a row may say beside what it is of, and its label."""

_REQUIRED: Mapping[TaskName, tuple[str, ...]] = {
    "image": ("path", "label"),
    "text": ("text", "label"),
}
_FRACTION = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_MOST_FRACTIONS = 20  # Half stars and the like are classes.
_FIRST = 20  # Rows by which it is seen that no path is right.
_WHOLE = re.compile(r"(-?\d+)(\.0)?")


def list_file(
    path: str,
    *,
    task: TaskName = "image",
    exclude: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Listing:
    """Lists the examples that a .csv or .tsv (with a header), .jsonl or .parquet names or holds.

    Columns or keys: path (relative to the file's folder), or for texts text (or sentence), and
    label; optionally split, group and slice. Others are ignored.

    Args:
      path: of the list, or `gs://bucket/path`.
      task: whose examples they are.
      exclude: patterns of what is passed over, as `data.exclude` describes them.
      columns: column -> the name that it goes by in this list.

    Raises:
      UserError: the file is missing or of another kind, a column is missing, misspelt or
        doubled, a line holds no path, no label or an unknown split, a value holds what it
        can't, or a group is in two splits, which names the line; or none of the first paths is
        right, a column of another name states the splits, or the labels are measurements.
    """
    if PurePosixPath(path).suffix.lower() not in READABLE:
        raise UserError(f"{path}: data.list must be a {READABLE_WORDS} file")
    root, name = os.path.split(path if is_remote(path) else os.path.abspath(path))
    required = _REQUIRED[task]
    table = Table(
        path, _read_file(path, root, name), (*required, *OPTIONAL), required, columns or {}
    )
    sieve, records, stated = Sieve(exclude), [], StatedGroups()
    for line, row in read_rows(table):
        where = f"{path}, line {line}"
        if task == "text":
            record = _text_record(row, f"{name}, line {line}", where=where)
        else:
            record = _record(row, root, where=where)
        if record.text is not None or sieve.keeps_listed(record.path):
            stated.check(record, f"line {line}", where=where)
            records.append(record)
    _check_paths(records, root, path)
    check_splits(path, records, table.splits, say="data.columns: {split: %s}")
    records, remarks = with_whole_labels(records, path)
    class_names = {record.label for record in records if record.label is not None}
    check_labels(path, class_names)
    return make_listing(
        root,
        records,
        class_names,
        sieve=sieve,
        source=path,
        examples=sources_of(task).EXAMPLES,
        remarks=[*remarks, *remark_ignored(path, table.ignored)],
    )


def _read_file(path: str, root: str, name: str) -> bytes:
    try:
        return open_files(root, at_most=MOST_BYTES)(name)
    except TooLargeError as error:
        raise UserError(
            f"{path}: {error.strerror} of a list; is it a list? Else part the data set"
        ) from error
    except (FileNotFoundError, NotAFileError) as error:
        raise UserError(
            f"{path}: there is no such file; data.list names a {READABLE_WORDS} file"
        ) from error


# --- records -----------------------------------------------------------------------------


def _record(row: Mapping[str, Any], root: str, *, where: str) -> SourceRecord:
    path = read_value(row.get("path"), "path", where)
    said = said_of(row, where=where)
    if not path:
        raise UserError(f"{where}: the path is empty")
    return SourceRecord(path=relative_path(path, root, where), **said)


def _check_paths(records: Sequence[SourceRecord], root: str, source: str) -> None:
    """Refuses a list whose first files are all missing, if it is seen what their paths lack."""
    first = [record.path for record in records[:_FIRST] if record.text is None]
    if not first or is_remote(root):
        return
    if any(os.path.lexists(os.path.join(root, path)) for path in first):
        return
    name = glob.escape(first[0].replace("\\", "/").rpartition("/")[2])
    for pattern in (name, f"{name}.*", f"*/{name}", f"*/{name}.*", f"*/*/{name}", f"*/*/{name}.*"):
        if found := glob.glob(pattern, root_dir=root):
            raise UserError(
                f"{source}: there is no {first[0]}, but {min(found)}; expected paths relative to "
                "the list, each with its folders and its extension"
            )


def _text_record(row: Mapping[str, Any], place: str, *, where: str) -> SourceRecord:
    text = row.get("text")
    if text is not None and not isinstance(text, str):
        raise UserError(f"{where}: text must be text, not {_shown(text)}")
    return SourceRecord(path=place, text=text or "", **said_of(row, where=where))


def check_name(name: str, what: str, where: str) -> str:
    """Returns the name of a class or a slice, once it can stand in a list of labels."""
    if not name:
        raise UserError(f"{where}: the {what} is empty")
    if found := find_unseen(name):
        raise UserError(
            f"{where}: the {what} {ascii(name)} holds {found}, which breaks a line "
            "or can't be seen, so that no list of labels could hold it; remove it"
        )
    return sys.intern(name)  # A million rows share the few names of their classes.


def said_of(row: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Returns what a row says of an example beside what it is: SourceRecord's fields."""
    label = check_name(read_value(row.get("label"), "label", where), "label", where)
    return {"label": label, **options_of(row, where=where)}


def options_of(row: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Returns what a row may say: split, group and slice."""
    split, group, slice_ = (read_value(row.get(name), name, where) for name in OPTIONAL)
    if slice_:
        check_name(slice_, "slice", where)
    return {"split": _split(split, where), "group": group, "slice": slice_}


def with_whole_labels(
    records: Sequence[SourceRecord], source: str
) -> tuple[list[SourceRecord], list[str]]:
    """Returns records whose labels are whole numbers, written as such, and a remark if any was not.

    pandas writes the labels 0 and 1 as 0.0 and 1.0 where a row of their column was empty. Where any
    label is no whole number, all stay as they are.
    """
    names = {record.label for record in records if record.label is not None}
    found = {name: _WHOLE.fullmatch(name) for name in names}
    whole = {name: match[1] for name, match in found.items() if match is not None and match[2]}
    if not whole or None in found.values():
        return list(records), []
    renamed = [
        dataclasses.replace(record, label=whole.get(record.label or "", record.label))
        for record in records
    ]
    example = min(whole)
    return renamed, [f"{source}: labels are whole numbers: {example!r} is {whole[example]!r}"]


def check_splits(
    source: str, records: Sequence[SourceRecord], columns: Collection[str], *, say: str
) -> None:
    """Refuses records that state no split, where a column that is called otherwise seems to.

    Args:
      source: for messages.
      records: all that there are.
      columns: those whose values are all names of splits.
      say: how a user says that a column, `%s`, is the splits'.
    """
    if columns and not any(record.split for record in records):
        name = min(columns)
        raise UserError(
            f"{source}: the values of {name!r} are names of splits, and nothing is made of them; "
            f"say {say % name}, or remove the column where it means something else"
        )


def check_labels(path: str, names: Collection[str]) -> None:
    """Refuses labels that are measurements, such as ratings or prices, and no classes."""
    fractions = [name for name in names if _FRACTION.fullmatch(name)]
    if len(fractions) > _MOST_FRACTIONS:
        raise UserError(
            f"{path}: the labels are numbers such as {min(fractions)}, {len(fractions)} different "
            "ones with a fraction; expected the names of classes: part the numbers into ranges, "
            "and name these"
        )


def _split(value: str, where: str) -> Split | None:
    split = stated_split(value)
    if value and split is None:
        others = ", ".join(name for name in SPLIT_OF_NAME if name not in SPLITS)
        raise UserError(
            f"{where}: unknown split {value!r}; allowed are {', '.join(SPLITS)} (or {others}), "
            "or nothing to let a hash decide"
        )
    return split


class StatedGroups:
    """The groups that were seen, and where their splits were stated."""

    def __init__(self) -> None:
        self._stated: dict[str, tuple[Split, str]] = {}

    def check(self, record: SourceRecord, place: str, *, where: str) -> None:
        """Refuses a group that an earlier line states another split for."""
        if not record.group or record.split is None:
            return
        split, first = self._stated.setdefault(record.group, (record.split, place))
        if split != record.split:
            raise UserError(
                f"{where}: the group {record.group!r} is in {record.split} here, and in {split} "
                f"on {first}; a group stays together, so state one split for all of it"
            )


def relative_path(path: str, root: str, where: str) -> str:
    """Returns a path relative to the list, absolute ones too: where data lies is no identity."""
    if not is_remote(root):
        if is_remote(path):
            raise UserError(
                f"{where}: {path} is an address, where the path of a file of this machine is "
                "expected; fetch the files, or put the list beside them in their bucket"
            )
        lying = _as_it_lies(path, root)
        return os.path.relpath(lying, root) if os.path.isabs(lying) else os.path.normpath(lying)
    below = path.removeprefix(f"{root}/")
    relative = posixpath.normpath(below)
    if is_remote(below) or not is_object_name(relative):
        raise UserError(f"{where}: {path} does not lie below {root}, where the list is")
    return relative


def _as_it_lies(path: str, root: str) -> str:
    """Returns a path in the form in which there is such a file; as it is, where there is none.

    Windows parts folders by backslashes, and file systems differ in how they write an accent: as a
    character of its own, macOS, or as part of the letter.
    """
    if path.isascii() and "\\" not in path:
        return path
    parted = path.replace("\\", "/")
    forms = (path, parted, *(unicodedata.normalize(form, parted) for form in ("NFC", "NFD")))
    return next((form for form in forms if os.path.lexists(os.path.join(root, form))), path)


def read_value(value: Any, name: str, where: str) -> str:
    """Returns a text or a whole number as text, without spaces around it; nothing as "".

    A column of whole numbers with a gap is one of floats, to pandas: 1.0 is 1, and NaN is nothing.
    """
    text = (value if isinstance(value, str) else _as_text(value, name, where)).strip()
    if found := find_unusable(text):
        raise UserError(f"{where}: the {name} {ascii(text)} holds {found}; remove it")
    return text


def _as_text(value: Any, name: str, where: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    measured = name == "label" and isinstance(value, float)
    remedy = "part numbers into ranges, and name these" if measured else "write it as text"
    raise UserError(
        f"{where}: the {name} must be text or a whole number, not {_shown(value)}; {remedy}"
    )


def _shown(value: Any) -> str:
    return "an object" if is_object(value) else repr(value)
