"""Roboflow's export with a `_classes.csv` in each split's folder: a column for each class.

Its other export for classification, a folder for each class, is one of plain folders.
"""

import csv
import io
import posixpath
from collections.abc import Iterator

from components.common.data.layout import stated_split
from components.common.errors import UserError
from components.preprocess.kinds import RoboflowSource
from components.preprocess.layouts.layout import Found, Source
from components.preprocess.lists import check_name, read_value, relative_path
from components.preprocess.sources import SourceRecord

CLASSES = "_classes.csv"


def list_records(source: Source, settings: RoboflowSource) -> Found:
    """Lists the pictures that each folder's `_classes.csv` names; see `layouts`."""
    tables = [path for path in source.tree.files if posixpath.basename(path) == CLASSES]
    if not tables:
        raise UserError(f"{source.root}: holds no {CLASSES}, at the top or in a split's folder")
    names: dict[str, None] = {}
    records = [record for path in sorted(tables) for record in _read(source, path, names)]
    return Found(records, class_names=tuple(names))


def _read(source: Source, path: str, names: dict[str, None]) -> Iterator[SourceRecord]:
    name, folder = source.named(path), posixpath.dirname(path)
    try:
        text = source.read(path).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
        header = next(rows, [])
        if len(header) < 2 or header[0].strip().casefold() != "filename":
            raise UserError(f"{name}, line 1: expected `filename` and a column for each class")
        classes = [check_name(each.strip(), "class", f"{name}, line 1") for each in header[1:]]
        names.update(dict.fromkeys(classes))
        for row in filter(None, rows):
            where = f"{name}, line {rows.line_num}"
            file = read_value(row[0], "filename", where)
            record = relative_path(posixpath.join(folder, file), source.root, where)
            if source.sieve.keeps_listed(record):
                label = _label(row[1:], classes, where)
                yield SourceRecord(record, label, stated_split(folder))
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise UserError(f"{name}: not valid CSV: {error}") from error


def _label(values: list[str], classes: list[str], where: str) -> str | None:
    marks = [value.strip() for value in values]
    if len(marks) != len(classes) or not set(marks) <= {"0", "1"}:
        raise UserError(f"{where}: expected {len(classes)} values, each 0 or 1")
    given = [name for name, mark in zip(classes, marks, strict=True) if mark == "1"]
    if len(given) > 1:
        raise UserError(
            f"{where}: is {given[0]!r} and {given[1]!r}; a classifier gives each picture one "
            "class: leave one, or export a project for single labels"
        )
    return given[0] if given else None
