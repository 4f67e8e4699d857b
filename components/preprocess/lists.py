"""A list file as a listing: a .csv with a header, a .jsonl with one object a line, or a .parquet.

A list names pictures by their paths, or holds texts themselves.

What can mean only one thing is accepted: column names in upper or lower case, further columns,
spaces around values, semicolons or tabs instead of commas, the usual names of splits. All else is
refused, naming the line.
"""

import csv
import dataclasses
import difflib
import io
import json
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.common.data.layout import SPLIT_OF_NAME, stated_split
from components.common.documents.dataset import SPLITS, Split, TaskName
from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.common.words.figures import listing
from components.preprocess.files import NotAFileError, TooLargeError
from components.preprocess.names import find_unseen, find_unusable
from components.preprocess.places import is_remote
from components.preprocess.sources import (
    Listing,
    Sieve,
    SourceRecord,
    is_object_name,
    make_listing,
    open_files,
)

_REQUIRED: Mapping[TaskName, tuple[str, ...]] = {
    "image": ("path", "label"),
    "text": ("text", "label"),
}
_OPTIONAL = ("split", "group", "slice")
_NAMESAKES = {"sentence": "text"}
"""Columns that go by another name, too."""
_MOST_BYTES = 512 << 20  # Of a list: some five million lines.
_MOST_UNPACKED = 4 << 30  # Of a Parquet file, whose columns are compressed.
_DELIMITERS = ",;\t"
_FRACTION = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_MOST_FRACTIONS = 20  # Half stars and the like are classes.
_SIMILAR = 0.75  # Of difflib: `lable`, `labels` and `group_id` are meant, `label_name` is not.

_Rows = Iterator[tuple[int, Mapping[str, Any]]]
"""Line numbers, and values by column; a column that is absent or empty has no value."""


@dataclasses.dataclass(frozen=True)
class _List:
    """A list file that is being read."""

    path: str
    data: bytes
    columns: tuple[str, ...]
    """Those that are known, the required ones first."""
    required: tuple[str, ...]
    ignored: set[str] = dataclasses.field(default_factory=set)
    """The others that it has."""

    @property
    def text(self) -> str:
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: is not UTF-8 text: {error}") from error


def list_file(path: str, *, task: TaskName = "image", exclude: Sequence[str] = ()) -> Listing:
    """Lists the examples that a .csv (with a header), .jsonl or .parquet file names or holds.

    Columns or keys: path (relative to the file's folder), or for texts text (or sentence), and
    label; optionally split, group and slice. Others are ignored.

    Args:
      path: of the list, or `gs://bucket/path`.
      task: whose examples they are.
      exclude: patterns of what is passed over, as `data.exclude` describes them.

    Raises:
      UserError: the file is missing or of another kind, a column is missing, misspelt or
        doubled, a line holds no path, no label or an unknown split, a value holds what it
        can't, a group is in two splits, or the labels are measurements; names the line.
    """
    readers: dict[str, Callable[[_List], _Rows]]
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(PurePosixPath(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: data.list must be a .csv, a .jsonl or a .parquet file")
    root, name = os.path.split(path if is_remote(path) else os.path.abspath(path))
    required = _REQUIRED[task]
    read = _List(path, _read_file(path, root, name), (*required, *_OPTIONAL), required)
    sieve, records = Sieve(exclude), []
    group_splits: dict[str, tuple[Split, int]] = {}
    for line, row in reader(read):
        where = f"{path}, line {line}"
        if task == "text":
            record = _text_record(row, f"{name}, line {line}", where=where)
        else:
            record = _record(row, root, where=where)
        if record.text is not None or sieve.keeps_listed(record.path):
            _check_group(record, group_splits, line, where=where)
            records.append(record)
    class_names = {record.label for record in records if record.label is not None}
    _check_labels(path, class_names)
    columns = listing([repr(column) for column in sorted(read.ignored)])
    return make_listing(
        root,
        records,
        class_names,
        sieve=sieve,
        source=path,
        examples=sources_of(task).EXAMPLES,
        remarks=[f"{path}: nothing is made of {columns}"] if read.ignored else [],
    )


def _read_file(path: str, root: str, name: str) -> bytes:
    try:
        return open_files(root, at_most=_MOST_BYTES)(name)
    except TooLargeError as error:
        raise UserError(
            f"{path}: {error.strerror} of a list; is it a list? Else part the data set"
        ) from error
    except (FileNotFoundError, NotAFileError) as error:
        raise UserError(
            f"{path}: there is no such file; data.list names a .csv, .jsonl or .parquet file"
        ) from error


# --- rows --------------------------------------------------------------------------------


def _read_csv(read: _List) -> _Rows:
    path, text = read.path, read.text
    stream = io.StringIO(text, newline="")
    delimiter, lines_above = _find_delimiter(text, read.columns), 0
    if text[:4].casefold() == "sep=":  # Excel's way to name the delimiter.
        stream.readline()
        lines_above = 1
    csv.field_size_limit(_MOST_BYTES)  # A text may be long; the file is bounded.
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        header = next(reader, [])
        line = lines_above + max(1, reader.line_num)  # Of an empty file it has read none.
        columns = _find_columns(header, read, where=f"{path}, line {line}")
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


def _find_delimiter(text: str, known: Sequence[str]) -> str:
    """Returns what parts the values: what `sep=` says, or what makes most of the header."""
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if header[:4].casefold() == "sep=" and len(header) == 5:
        return header[4]

    def columns(delimiter: str) -> tuple[int, int]:
        names = {_column(name.strip(' "')) for name in header.split(delimiter)}
        return len(names & set(known)), len(names)

    return max(_DELIMITERS, key=columns)


def _read_jsonl(read: _List) -> _Rows:
    columns_of_keys: dict[tuple[str, ...], Mapping[str, int]] = {}  # Rows have the same, mostly.
    # Not splitlines, which would also part at characters that JSON allows within text.
    for line, row_text in enumerate(read.text.split("\n"), start=1):
        if not row_text.strip():
            continue
        where = f"{read.path}, line {line}"
        try:
            row = json.loads(row_text, object_pairs_hook=_JsonObject)
        except RecursionError as error:
            raise UserError(f"{where}: not a record: it is nested too deeply") from error
        except ValueError as error:
            raise UserError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, _JsonObject):
            raise UserError(
                f'{where}: expected an object such as {{"{read.required[0]}": …, "label": …}}'
            )
        keys = tuple(key for key, _ in row)
        if keys not in columns_of_keys:
            columns_of_keys[keys] = _find_columns(keys, read, where=where)
        yield line, {column: row[index][1] for column, index in columns_of_keys[keys].items()}


class _JsonObject(list[tuple[str, Any]]):
    """An object as it is written: a key may stand twice."""


def _read_parquet(read: _List) -> _Rows:
    import pyarrow  # It takes a while to import.
    import pyarrow.parquet

    where = f"{read.path}, line 1"
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(read.data))
        groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
        if (size := sum(group.total_byte_size for group in groups)) > _MOST_UNPACKED:
            raise UserError(
                f"{read.path}: unpacks to {size:,} bytes, where {_MOST_UNPACKED:,} are the most "
                "that are read; part the data set"
            )
        names = file.schema_arrow.names
        columns = _find_columns(names, read, where=where)
        line = 0
        for batch in file.iter_batches(columns=[names[index] for index in columns.values()]):
            for row in batch.to_pylist():
                line += 1
                yield line, {column: row[names[index]] for column, index in columns.items()}
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{read.path}: is no Parquet file that can be read: {error}") from error


def _find_columns(names: Sequence[str], read: _List, *, where: str) -> Mapping[str, int]:
    """Returns where each known column stands, and adds the others to those ignored."""
    found: dict[str, int] = {}
    others = []
    for index, name in enumerate(names):
        column = _column(name)
        if column not in read.columns:
            others.append(name.strip())
        elif column in found:
            raise UserError(f"{where}: {column!r} stands twice; remove one of the two")
        else:
            found[column] = index
    if len(found) < len(read.columns):
        _check_absent(found, others, read, where=where)
    read.ignored.update(name for name in others if name)
    return found


def _check_absent(found: Iterable[str], others: Sequence[str], read: _List, *, where: str) -> None:
    absent = [column for column in read.columns if column not in found]
    for other in others:
        if similar := difflib.get_close_matches(_column(other), absent, n=1, cutoff=_SIMILAR):
            raise UserError(
                f"{where}: {other!r} looks like a misspelt {similar[0]!r}; rename it, or remove "
                "it where it means something else"
            )
    for required in read.required:
        if required not in found:
            there = f", only {listing([repr(other) for other in others])}" if others else ""
            raise UserError(
                f"{where}: there is no {required!r}{there}; expected {read.required[0]}, label and "
                "optionally split, group, slice"
            )


def _column(name: str) -> str:
    folded = name.strip().casefold()
    return _NAMESAKES.get(folded, folded)


# --- records -----------------------------------------------------------------------------


def _record(row: Mapping[str, Any], root: str, *, where: str) -> SourceRecord:
    values = _values(row, ("path", "label", *_OPTIONAL), where)
    if not values["path"]:
        raise UserError(f"{where}: the path is empty")
    return SourceRecord(path=_relative(values["path"], root, where), **_said(values, where))


def _text_record(row: Mapping[str, Any], place: str, *, where: str) -> SourceRecord:
    text = row.get("text")
    if text is not None and not isinstance(text, str):
        raise UserError(f"{where}: text must be text, not {_shown(text)}")
    values = _values(row, ("label", *_OPTIONAL), where)
    return SourceRecord(path=place, text=text or "", **_said(values, where))


def _values(row: Mapping[str, Any], names: Sequence[str], where: str) -> dict[str, str]:
    values = {name: _text(row.get(name), name, where) for name in names}
    if not values["label"]:
        raise UserError(f"{where}: the label is empty")
    for name in ("label", "slice"):
        if found := find_unseen(values[name]):
            raise UserError(
                f"{where}: the {name} {ascii(values[name])} holds {found}, which breaks a line "
                "or can't be seen, so that no list of labels could hold it; remove it"
            )
    return values


def _said(values: Mapping[str, str], where: str) -> dict[str, Any]:
    """Returns what a list says of an example beside what it is."""
    return {
        "label": values["label"],
        "split": _split(values["split"], where),
        "group": values["group"],
        "slice": values["slice"],
    }


def _check_labels(path: str, names: Collection[str]) -> None:
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
