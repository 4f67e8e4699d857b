"""Rows of a table that people write: a .csv or .tsv with a header, a .jsonl, or a .parquet.

What can mean only one thing is accepted: column names in upper or lower case, further columns,
spaces around values, semicolons or tabs instead of commas. All else is refused, naming the line.
"""

import contextlib
import csv
import dataclasses
import difflib
import io
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar

from components.common.data.layout import stated_split
from components.common.documents.dataset import Split
from components.common.errors import UserError
from components.common.words.figures import listing, shown
from components.preprocess.hugging_face import class_names_of, read_features
from components.preprocess.marks import describe_marks

MOST_BYTES = 512 << 20
"""Of a table: some five million lines."""
_MOST_UNPACKED = 4 << 30  # Of a Parquet file, whose columns are compressed.
_NAMESAKES = {"sentence": "text"}
"""Columns that go by another name, too."""
_DELIMITERS = ",;\t|"
_MOST_NAMED = 30  # Columns in one message; of a table of pixels there are hundreds.
_FIRST = 20  # Rows by which it is seen what marks them.
_SIMILAR = 0.75  # Of difflib: `lable`, `labels` and `group_id` are meant, `label_name` is not.

_PACKED = (
    "; a Parquet file that holds the examples is read with its folder, by data.source: "
    "{kind: parquet, path: FOLDER}"
)

HOLDS_TEXTS = (
    "holds texts; a recipe for them says task: text, and `litesmith data inspect` takes --text"
)
"""Of what is read as pictures."""

_Place = TypeVar("_Place", int, str)

Rows = Iterator[tuple[int, Mapping[str, Any]]]
"""Line numbers, and values by column; a column that is absent or empty has no value."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table that is being read."""

    path: str
    data: bytes
    columns: tuple[str, ...]
    """Those that are known, the required ones first."""
    required: tuple[str, ...]
    named: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Column -> the name that it goes by here, where its user says so."""
    ignored: set[str] = dataclasses.field(default_factory=set)
    """The others that it has."""
    splits: set[str] = dataclasses.field(default_factory=set)
    """Those of them whose values are all names of splits, and of several."""

    @property
    def text(self) -> str:
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: is not UTF-8 text; save it so: {error}") from error

    def column_of(self, name: str) -> str:
        """Returns which column a name in the header means."""
        folded = name.strip().casefold()
        for column, other in self.named.items():
            if folded == other.strip().casefold():
                return column
        column = _NAMESAKES.get(folded, folded)
        return "" if column in self.named else column

    def name_of(self, column: str) -> str:
        return self.named.get(column, column)


def read_rows(table: Table) -> Rows:
    """Yields the rows of a table, with those columns that are known.

    Raises:
      UserError: it is of no kind that is read, or damaged; a column is missing, misspelt or
        doubled.
    """
    read = _READERS.get(PurePosixPath(table.path).suffix.lower())
    if read is None:
        raise UserError(f"{table.path}: must be a {READABLE_WORDS} file")
    return read(table)


def read_header(path: str, data: bytes) -> Collection[str]:
    """Returns the names of a table's columns; of a .jsonl, the keys of its first object."""
    table = Table(path, data, (), ())
    next(read_rows(table), None)
    return table.ignored


def is_object(value: Any) -> bool:
    """Tells whether a value of a .jsonl is an object itself."""
    return isinstance(value, _JsonObject)


def _read_csv(read: Table) -> Rows:
    path, text = read.path, read.text
    stream = io.StringIO(text, newline="")
    delimiter, lines_above = _find_delimiter(text, read), 0
    if text[:4].casefold() == "sep=":  # Excel's way to name the delimiter.
        stream.readline()
        lines_above = 1
    csv.field_size_limit(MOST_BYTES)  # A text may be long; the file is bounded.
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        header = next(reader, [])
        line = lines_above + max(1, reader.line_num)  # Of an empty file it has read none.
        columns = _find_columns(header, read, where=f"{path}, line {line}")
        stating = _Stating(set(range(len(header))).difference(columns.values()))
        for values in reader:
            line = lines_above + reader.line_num
            if not any(map(str.strip, values)):  # A blank line, or a spreadsheet's row of nothing.
                continue
            if values == header:  # Of a file that was put after another.
                continue
            if delimiter == "\t" and any("\t" in value and "\n" in value for value in values):
                raise UserError(
                    f"{path}, line {line}: a quote that begins a value reaches over several lines "
                    "here; leave it out, or write it twice in quotes, as CSV has it"
                )
            if len(values) < len(header) or any(map(str.strip, values[len(header) :])):
                raise UserError(
                    f"{path}, line {line}: expected {len(header)} values, as in the header"
                )
            stating.watch(values.__getitem__)
            yield line, {column: values[index] for column, index in columns.items()}
        read.splits.update(header[index] for index in stating.columns())
    except csv.Error as error:
        line = lines_above + reader.line_num
        raise UserError(
            f"{path}, line {line}: not valid CSV: {error}; in a quoted value, a quote stands twice"
        ) from error


def _find_delimiter(text: str, read: Table) -> str:
    """Returns what parts the values: what `sep=` or the file's ending says, or the header."""
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if header[:4].casefold() == "sep=" and len(header) == 5:
        return header[4]
    if read.path.lower().endswith(".tsv"):
        return "\t"

    def columns(delimiter: str) -> tuple[int, int]:
        names = {read.column_of(name.strip(' "')) for name in header.split(delimiter)}
        return len(names & set(read.columns)), len(names)

    return max(_DELIMITERS, key=columns)


def _read_jsonl(read: Table) -> Rows:
    columns_of_keys: dict[tuple[str, ...], Mapping[str, int]] = {}  # Rows have the same, mostly.
    stating: _Stating[str] | None = None
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
            raise UserError(
                f"{where}: not valid JSON: {error}; expected an object on each line"
            ) from error
        if not isinstance(row, _JsonObject):
            asked = [f'"{read.name_of(column)}": …' for column in read.required or ("label",)]
            raise UserError(f"{where}: expected an object such as {{{', '.join(asked)}}}")
        keys = tuple(key for key, _ in row)
        if keys not in columns_of_keys:
            columns_of_keys[keys] = _find_columns(keys, read, where=where)
        if stating is None:
            known = columns_of_keys[keys].values()
            stating = _Stating(key for index, key in enumerate(keys) if index not in known)
        stating.watch(row.value_of)
        yield line, {column: row[index][1] for column, index in columns_of_keys[keys].items()}
    read.splits.update(stating.columns() if stating is not None else ())


class _JsonObject(list[tuple[str, Any]]):
    """An object as it is written: a key may stand twice."""

    def value_of(self, key: str) -> Any:
        return next((value for name, value in self if name == key), None)


class _Stating(Generic[_Place]):
    """Watches which columns hold nothing but names of splits, row by row.

    Args:
      columns: what they are told apart by.
    """

    def __init__(self, columns: Iterable[_Place]) -> None:
        self._stated: dict[_Place, set[Split | None]] = {column: set() for column in columns}

    def watch(self, value_of: Callable[[_Place], Any]) -> None:
        for column in tuple(self._stated):  # After a row or two there is none, mostly.
            value = value_of(column)
            self._stated[column].add(stated_split(value) if isinstance(value, str) else None)
            if None in self._stated[column]:
                del self._stated[column]

    def columns(self) -> list[_Place]:
        """Returns those whose values named several splits, and nothing else."""
        return [column for column, stated in self._stated.items() if len(stated) > 1]


def _read_parquet(read: Table) -> Rows:
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
        features = read_features(file.schema_arrow, where)
        classes = {
            column: found
            for column, index in columns.items()
            if (found := class_names_of(features, names[index], where)) is not None
        }
        line = 0
        for batch in file.iter_batches(columns=[names[index] for index in columns.values()]):
            for row in batch.to_pylist():
                line += 1
                values = {column: row[names[index]] for column, index in columns.items()}
                for column, known in classes.items():
                    values[column] = _name_of(values[column], known, f"{read.path}, line {line}")
                yield line, values
        others = {name for index, name in enumerate(names) if index not in columns.values()}
        read.splits.update(name for name in others if len(stated_splits(file, name)) > 1)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{read.path}: is no Parquet file that can be read: {error}") from error


def stated_splits(file: Any, column: str) -> Set[Split]:
    """Returns the splits that a column of a Parquet file names; none where a value names none."""
    import pyarrow.types

    stated: set[Split] = set()
    try:
        kind = file.schema_arrow.field(column).type
        if pyarrow.types.is_dictionary(kind):  # As pandas writes categories.
            kind = kind.value_type
        if not is_string(kind):
            return set()
        for batch in file.iter_batches(columns=[column]):
            for value in batch.column(0).unique().to_pylist():
                if (split := stated_split(value or "")) is None:
                    return set()
                stated.add(split)
    except (KeyError, pyarrow.ArrowException, OSError, UnicodeDecodeError):
        return set()  # It stands twice or is damaged, and nobody asks for it.
    return stated


def is_string(kind: Any) -> bool:
    """Tells whether a column of one of Arrow's types holds texts as they are."""
    import pyarrow.types

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _name_of(value: Any, class_names: Sequence[str], where: str) -> Any:
    """Returns the name of the class of a number, None for that of no class."""
    if value == -1:
        return None
    if isinstance(value, float) and value.is_integer():  # Of a column with gaps.
        value = int(value)
    if not isinstance(value, int):
        return value
    if not 0 <= value < len(class_names):
        raise UserError(f"{where}: {value} is of none of the {len(class_names)} classes")
    return class_names[value]


def _find_columns(names: Sequence[str], read: Table, *, where: str) -> Mapping[str, int]:
    """Returns where each known column stands, and adds the others to those ignored."""
    found: dict[str, int] = {}
    others = []
    for index, name in enumerate(names):
        column = read.column_of(name)
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


def _check_absent(found: Iterable[str], others: Sequence[str], read: Table, *, where: str) -> None:
    absent = [column for column in read.columns if column not in found]
    for other in others:
        meant = read.column_of(other)
        if similar := difflib.get_close_matches(meant, absent, n=1, cutoff=_SIMILAR):
            raise UserError(
                f"{where}: {other!r} looks like a misspelt {similar[0]!r}; rename it, or remove "
                "it where it means something else"
            )
    for column in (*read.required, *read.named):
        if column not in found:
            if column == "path" and "text" in map(read.column_of, others):
                raise UserError(f"{where}: {HOLDS_TEXTS}")
            marks = _describe_marks(absent, others, read) if "label" in absent else ""
            if marks:
                raise UserError(f"{where}: there is no {read.name_of('label')!r}, but {marks}")
            suffix = PurePosixPath(read.path).suffix.lower()
            packed = _PACKED if suffix == ".parquet" else ""
            asked = "a first line of" if _READERS[suffix] is _read_csv else "the columns"
            names = [repr(other) for other in others if other]
            list_names = listing if len(names) <= _MOST_NAMED else shown
            there = f", only {list_names(names)}" if names else ""
            raise UserError(
                f"{where}: there is no {read.name_of(column)!r}{there}; expected {asked} "
                f"{read.name_of(read.required[0])}, {read.name_of('label')} and optionally split, "
                f"group, slice; where it is called otherwise, say data.columns: {{{column}: NAME}}"
                f"{packed}"
            )


def _describe_marks(absent: Collection[str], others: Sequence[str], read: Table) -> str:
    """Says which columns seem to mark classes; nothing where none do, or the table is damaged."""
    names = tuple(dict.fromkeys(filter(None, others)))
    other = Table(read.path, read.data, names, names, {name: name for name in names})
    with contextlib.suppress(UserError):
        first = list(itertools.islice(read_rows(other), _FIRST))
        return describe_marks(first, read.path, further=int(read.required[0] in absent))
    return ""


_READERS: Mapping[str, Callable[[Table], Rows]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}

READABLE = frozenset(_READERS)
"""The extensions of tables that are read."""
READABLE_WORDS = ".csv, .tsv, .jsonl or .parquet"
