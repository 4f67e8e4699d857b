"""A list file as a listing: a .csv with a header, or a .jsonl with one object a line.

What can mean only one thing is accepted: column names in upper or lower case, further columns,
spaces around values, semicolons or tabs instead of commas, the usual names of splits. All else is
refused, naming the line.
"""

import csv
import difflib
import io
import json
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.common.data.layout import SPLIT_OF_NAME, stated_split
from components.common.documents.dataset import SPLITS, Split
from components.common.errors import UserError
from components.common.words.figures import listing
from components.preprocess.files import NotAFileError, TooLargeError
from components.preprocess.names import find_unseen, find_unusable
from components.preprocess.sources import (
    Listing,
    Sieve,
    SourceRecord,
    is_object_name,
    is_remote,
    make_listing,
    open_source,
)

REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "split", "group", "slice")
_MOST_BYTES = 512 << 20  # Of a list: some five million lines.
_DELIMITERS = ",;\t"
_SIMILAR = 0.75  # Of difflib: `lable`, `labels` and `group_id` are meant, `label_name` is not.

_Rows = Iterator[tuple[int, Mapping[str, Any]]]
"""Line numbers, and values by column; a column that is absent or empty has no value."""


def list_file(path: str, *, exclude: Sequence[str] = ()) -> Listing:
    """Lists the pictures that a .csv (with a header) or .jsonl file names.

    Columns or keys: path (relative to the file's folder) and label; optionally split,
    group and slice. Others are ignored.

    Args:
      path: of the list, or `gs://bucket/path`.
      exclude: patterns of what is passed over, as `data.exclude` describes them.

    Raises:
      UserError: the file is missing or of another kind, a column is missing, misspelt or
        doubled, a line holds no path, no label or an unknown split, a value holds what it
        can't, or a group is in two splits; names the line.
    """
    readers: dict[str, Callable[[str, str, set[str]], _Rows]]
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    reader = readers.get(PurePosixPath(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: data.list must be a .csv or a .jsonl file")
    root, name = os.path.split(path if is_remote(path) else os.path.abspath(path))
    text = _read_text(path, root, name)
    sieve, ignored, records = Sieve(exclude), set[str](), []
    group_splits: dict[str, tuple[Split, int]] = {}
    for line, row in reader(text, path, ignored):
        where = f"{path}, line {line}"
        record = _record(row, root, where=where)
        if sieve.keeps_listed(record.path):
            _check_group(record, group_splits, line, where=where)
            records.append(record)
    columns = listing([repr(column) for column in sorted(ignored)])
    return make_listing(
        root,
        records,
        {record.label for record in records if record.label is not None},
        sieve=sieve,
        source=path,
        remarks=[f"{path}: nothing is made of {columns}"] if ignored else [],
    )


def _read_text(path: str, root: str, name: str) -> str:
    try:
        return open_source(root, at_most=_MOST_BYTES)(name).decode("utf-8-sig")
    except TooLargeError as error:
        raise UserError(
            f"{path}: {error.strerror} of a list; is it a list of pictures? Else part the data set"
        ) from error
    except (FileNotFoundError, NotAFileError) as error:
        raise UserError(
            f"{path}: there is no such file; data.list names a .csv or .jsonl file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text: {error}") from error


# --- rows --------------------------------------------------------------------------------


def _read_csv(text: str, path: str, ignored: set[str]) -> _Rows:
    stream = io.StringIO(text, newline="")
    delimiter, lines_above = _find_delimiter(text), 0
    if text[:4].casefold() == "sep=":  # Excel's way to name the delimiter.
        stream.readline()
        lines_above = 1
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        header = next(reader, [])
        line = lines_above + max(1, reader.line_num)  # Of an empty file it has read none.
        columns = _find_columns(header, where=f"{path}, line {line}", ignored=ignored)
        for values in reader:
            line = lines_above + reader.line_num
            if not any(map(str.strip, values)):  # A blank line, or a spreadsheet's row of nothing.
                continue
            if len(values) < len(header) or any(map(str.strip, values[len(header) :])):
                raise UserError(
                    f"{path}, line {line}: expected {len(header)} values, as in the header"
                )
            yield line, {column: values[index] for column, index in columns.items()}
    except csv.Error as error:
        line = lines_above + reader.line_num
        raise UserError(f"{path}, line {line}: not valid CSV: {error}") from error


def _find_delimiter(text: str) -> str:
    """Returns what parts the values: what `sep=` says, or what makes most of the header."""
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if header[:4].casefold() == "sep=" and len(header) == 5:
        return header[4]

    def columns(delimiter: str) -> tuple[int, int]:
        names = {_column(name.strip(' "')) for name in header.split(delimiter)}
        return len(names & set(COLUMNS)), len(names)

    return max(_DELIMITERS, key=columns)


def _read_jsonl(text: str, path: str, ignored: set[str]) -> _Rows:
    columns_of_keys: dict[tuple[str, ...], Mapping[str, int]] = {}  # Rows have the same, mostly.
    # Not splitlines, which would also part at characters that JSON allows within text.
    for line, row_text in enumerate(text.split("\n"), start=1):
        if not row_text.strip():
            continue
        where = f"{path}, line {line}"
        try:
            row = json.loads(row_text, object_pairs_hook=_JsonObject)
        except RecursionError as error:
            raise UserError(f"{where}: not a record: it is nested too deeply") from error
        except ValueError as error:
            raise UserError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, _JsonObject):
            raise UserError(f'{where}: expected an object such as {{"path": …, "label": …}}')
        keys = tuple(key for key, _ in row)
        if keys not in columns_of_keys:
            columns_of_keys[keys] = _find_columns(keys, where=where, ignored=ignored)
        yield line, {column: row[index][1] for column, index in columns_of_keys[keys].items()}


class _JsonObject(list[tuple[str, Any]]):
    """An object as it is written: a key may stand twice."""


def _find_columns(names: Sequence[str], *, where: str, ignored: set[str]) -> Mapping[str, int]:
    """Returns where each known column stands, and adds the others to those ignored."""
    found: dict[str, int] = {}
    others = []
    for index, name in enumerate(names):
        column = _column(name)
        if column not in COLUMNS:
            others.append(name.strip())
        elif column in found:
            raise UserError(f"{where}: {column!r} stands twice; remove one of the two")
        else:
            found[column] = index
    if len(found) < len(COLUMNS):
        _check_absent(found, others, where=where)
    ignored.update(name for name in others if name)
    return found


def _check_absent(found: Iterable[str], others: Sequence[str], *, where: str) -> None:
    absent = [column for column in COLUMNS if column not in found]
    for other in others:
        if similar := difflib.get_close_matches(_column(other), absent, n=1, cutoff=_SIMILAR):
            raise UserError(
                f"{where}: {other!r} looks like a misspelt {similar[0]!r}; rename it, or remove "
                "it where it means something else"
            )
    for required in REQUIRED:
        if required not in found:
            there = f", only {listing([repr(other) for other in others])}" if others else ""
            raise UserError(
                f"{where}: there is no {required!r}{there}; expected path, label and optionally "
                "split, group, slice"
            )


def _column(name: str) -> str:
    return name.strip().casefold()


# --- records -----------------------------------------------------------------------------


def _record(row: Mapping[str, Any], root: str, *, where: str) -> SourceRecord:
    values = {name: _text(row.get(name), name, where) for name in COLUMNS}
    for required in REQUIRED:
        if not values[required]:
            raise UserError(f"{where}: the {required} is empty")
    for name in ("label", "slice"):
        if found := find_unseen(values[name]):
            raise UserError(
                f"{where}: the {name} {ascii(values[name])} holds {found}, which breaks a line "
                "or can't be seen, so that no list of labels could hold it; remove it"
            )
    return SourceRecord(
        path=_relative(values["path"], root, where),
        label=values["label"],
        split=_split(values["split"], where),
        group=values["group"],
        slice=values["slice"],
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


def _check_group(
    record: SourceRecord, stated: dict[str, tuple[Split, int]], line: int, *, where: str
) -> None:
    """Refuses a group that an earlier line states another split for."""
    if not record.group or record.split is None:
        return
    split, first = stated.setdefault(record.group, (record.split, line))
    if split != record.split:
        raise UserError(
            f"{where}: the group {record.group!r} is in {record.split} here, and in {split} on "
            f"line {first}; a group stays together, so state one split for all of it"
        )


def _relative(path: str, root: str, where: str) -> str:
    """Returns a path relative to the list, absolute ones too: where data lies is no identity."""
    if not is_remote(root):
        return os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
    below = path.removeprefix(f"{root}/")
    relative = posixpath.normpath(below)
    if is_remote(below) or not is_object_name(relative):
        raise UserError(f"{where}: {path} does not lie below {root}, where the list is")
    return relative


def _text(value: Any, name: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UserError(f"{where}: {name} must be text, not {_shown(value)}")
    text = str(value).strip()
    if found := find_unusable(text):
        raise UserError(f"{where}: the {name} {ascii(text)} holds {found}; remove it")
    return text


def _shown(value: Any) -> str:
    return "an object" if isinstance(value, _JsonObject) else repr(value)
