"""Hugging Face's ImageFolder: files beside the pictures say what each of them is.

A `metadata.csv`, `.jsonl` or `.parquet` at the top, or in a split's folder, names files relative to
itself. Where there is one, folders name no classes, and what it doesn't name is no example.
"""

import posixpath
from collections.abc import Iterator

from components.common.data.layout import METADATA_FILES, stated_split
from components.common.documents.dataset import Split
from components.common.errors import UserError
from components.preprocess.kinds import MetadataSource
from components.preprocess.layouts.layout import Found, Source, either
from components.preprocess.lists import (
    OPTIONAL,
    check_splits,
    read_value,
    relative_path,
    said_of,
    with_whole_labels,
)
from components.preprocess.rows import Table, read_header, read_rows
from components.preprocess.sources import SourceRecord, remark_ignored

FILE_NAME = "file_name"
_REQUIRED = ("path", "label")


def list_records(source: Source, settings: MetadataSource) -> Found:
    """Lists the pictures that metadata names; see `layouts`."""
    tables = [_open(source, path, settings) for path in find_metadata(source)]
    if not tables:
        asked = either(sorted(METADATA_FILES))
        raise UserError(f"{source.root}: holds no {asked}, at the top or in a split's folder")
    named = [record for path, table in tables for record in _read(source, path, table)]
    splits = {name for _, table in tables for name in table.splits}
    say = "data.source: {kind: metadata, columns: {split: %s}}"
    check_splits(source.root, named, splits, say=say)
    records, remarks = with_whole_labels(named, source.root)
    ignored = {name for _, table in tables for name in table.ignored}
    return Found(records, remarks=[*remarks, *remark_ignored(source.root, ignored)])


def find_metadata(source: Source) -> list[str]:
    """Returns the files that may say what others are."""
    return sorted(path for path in source.tree.files if _is_metadata(path))


def has_column(source: Source, path: str, name: str) -> bool:
    """Tells whether a metadata file has a column."""
    header = read_header(source.named(path), source.read(path))
    return name in {column.strip().casefold() for column in header}


def _is_metadata(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    at_top = not folder or ("/" not in folder and stated_split(folder) is not None)
    return at_top and name.lower() in METADATA_FILES


def _open(source: Source, path: str, settings: MetadataSource) -> tuple[str, Table]:
    named = {"path": FILE_NAME, **settings.columns.stated()}
    data = source.read(path)
    return path, Table(source.named(path), data, (*_REQUIRED, *OPTIONAL), _REQUIRED, named)


def _read(source: Source, path: str, table: Table) -> Iterator[SourceRecord]:
    folder = posixpath.dirname(path)
    split = stated_split(folder)
    for line, row in read_rows(table):
        where = f"{table.path}, line {line}"
        name = read_value(row.get("path"), FILE_NAME, where)
        if not name:
            raise UserError(f"{where}: the {FILE_NAME} is empty")
        file = relative_path(posixpath.join(folder, name), source.root, where)
        if source.sieve.keeps_listed(file):
            said = said_of(row, where=where)
            yield SourceRecord(path=file, **{**said, "split": _one(said["split"], split, where)})


def _one(stated: Split | None, folder: Split | None, where: str) -> Split | None:
    if stated is not None and folder is not None and stated != folder:
        raise UserError(f"{where}: states the split {stated}, in the folder for {folder}")
    return stated or folder
