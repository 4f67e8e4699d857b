"""Parquet files that hold the examples, as Hugging Face's hub has data sets.

A column of pictures is a struct of bytes and path, or bytes alone; texts are texts. Which column is
what, and what classes numbers mean, Hugging Face writes into the schema's metadata; without it, the
types of the columns and their names tell, or the recipe.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.common.data.layout import stated_split
from components.common.errors import UserError
from components.common.words.figures import shown
from components.preprocess.containers import open_table
from components.preprocess.hugging_face import class_names_of, read_features
from components.preprocess.kinds import ParquetSource
from components.preprocess.layouts.layout import Found, Labels, Source, choose_one, split_of_file
from components.preprocess.lists import (
    OPTIONAL,
    check_splits,
    options_of,
    read_value,
    relative_path,
)
from components.preprocess.places import Cell
from components.preprocess.rows import HOLDS_TEXTS, is_string, stated_splits
from components.preprocess.sources import SourceRecord, remark_ignored

_SAY = "data.source: {kind: parquet, columns: {%s: COLUMN}}"
_PATHS = ("path", "file_name")
_TEXTS = ("text", "sentence")


@dataclasses.dataclass(frozen=True)
class _Columns:
    """Which column of a file is what."""

    label: str
    holds: str
    """`image`, `text` or `path`."""
    example: str
    """The column of it, of a struct the part: `image.bytes`."""
    path: str | None
    """The part of a struct that names the file where it has no bytes."""
    others: Mapping[str, str]
    """Of split, group and slice those that there are."""
    class_names: Sequence[str] | None


def list_records(source: Source, settings: ParquetSource) -> Found:
    """Lists the rows of all files; see `layouts`."""
    paths = source.files(".parquet")
    if not paths:
        raise UserError(f"{source.root}: holds no .parquet file")
    _check_one(source, paths)
    class_names: Sequence[str] | None = None
    records: list[SourceRecord] = []
    ignored, splits = set[str](), set[str]()
    for path in paths:
        with open_table(source.root, path) as table:
            columns = _find_columns(table, settings, source, source.named(path))
            if path != paths[0] and columns.class_names != class_names:
                raise UserError(
                    f"{source.named(path)}: names other classes than {paths[0]}; a data set has "
                    "one list of them"
                )
            class_names = columns.class_names
            others = {*table.schema_arrow.names} - {columns.label, *columns.others.values()}
            others -= {columns.example, columns.example.partition(".")[0]}
            records += _read(source, path, table, columns)
            splits.update(name for name in others if len(stated_splits(table, name)) > 1)
            ignored |= others
    say = "data.source: {kind: parquet, columns: {split: %s}}"
    check_splits(source.root, records, splits, say=say)
    remarks = remark_ignored(source.root, ignored)
    return Found(records, class_names=class_names or (), remarks=remarks)


def _check_one(source: Source, paths: Sequence[str]) -> None:
    """Refuses files that may be of several data sets, as a repository's configurations are."""
    parts = ((part for part in path.split("/")[:-1] if not stated_split(part)) for path in paths)
    folders = sorted({"/".join(part) for part in parts})
    if len(folders) > 1:
        named = shown([repr(folder or "its top") for folder in folders])
        raise UserError(
            f"{source.root}: {named} hold Parquet files, which may be parts of one data set, or "
            "data sets of their own; give the folder of one, or name the others in data.exclude"
        )


def _read(source: Source, path: str, table: Any, columns: _Columns) -> Iterator[SourceRecord]:
    labels, split, row = Labels(columns.class_names), split_of_file(path), 0
    width = len(str(table.metadata.num_rows))
    for group in range(table.num_row_groups):
        named = columns.example
        if columns.path is not None and _is_empty(table, group, columns.example):
            named = columns.path
        stored = columns.holds == "image" and named == columns.example
        asked = [columns.label, *columns.others.values(), *([] if stored else [named])]
        for index, values in enumerate(_read_rows(table, group, asked, source.named(path))):
            place = f"{path}/{row:0{width}d}"
            where = f"{source.named(path)}, row {row}"
            row += 1
            if not source.sieve.keeps_listed(place):
                continue
            label = labels.name_of(values[columns.label], where)
            said = {name: values[column] for name, column in columns.others.items()}
            known = {"label": label, **options_of(said, where=where)}
            known["split"] = known["split"] or split
            if stored:
                yield SourceRecord(place, place=Cell(path, named, group, index), **known)
                continue
            value = read_value(_inner(values, named), columns.holds, where)
            if columns.holds == "text":
                yield SourceRecord(place, text=value, **known)
            else:
                yield SourceRecord(relative_path(value, source.root, where), **known)


def _read_rows(table: Any, group: int, columns: list[str], name: str) -> list[dict[str, Any]]:
    import pyarrow

    try:
        rows: list[dict[str, Any]] = table.read_row_group(group, columns=columns).to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: its row group {group} is damaged: {error}") from error
    return rows


def _find_columns(table: Any, settings: ParquetSource, source: Source, where: str) -> _Columns:
    schema, stated = table.schema_arrow, settings.columns
    features = read_features(schema, where)
    for name in stated.stated().values():
        if name not in schema.names:
            raise UserError(f"{where}: has no column {name!r}, only {', '.join(schema.names)}")
    for name in schema.names:
        if schema.get_field_index(name) < 0:
            raise UserError(f"{where}: the column {name!r} stands twice; remove one of the two")
    marked = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    label = stated.label or choose_one(
        marked or [name for name in ("label",) if name in schema.names],
        what="the labels",
        where=where,
        say=_SAY % "label",
    )
    given = stated.stated()
    others = {name: given.get(name, name) for name in OPTIONAL}
    said = {label, *others.values()}
    holds, example, path = _find_example(schema, features, settings, source.task, said, where)
    return _Columns(
        label=label,
        holds=holds,
        example=example,
        path=path,
        others={name: column for name, column in others.items() if column in schema.names},
        class_names=settings.class_names or class_names_of(features, label, where),
    )


def _find_example(
    schema: Any,
    features: Mapping[str, Any],
    settings: ParquetSource,
    task: str,
    said: Collection[str],
    where: str,
) -> tuple[str, str, str | None]:
    """Returns what the examples' column holds, the column, and beside it that of their paths.

    Columns that are said to be something else, labels or splits, hold no texts.
    """
    stated = settings.columns
    if task == "text":
        texts = [name for name in _TEXTS if name in schema.names]
        texts = texts or [field.name for field in schema if is_string(field.type)]
        texts = [name for name in texts if name not in said]
        say = _SAY % "text"
        return "text", stated.text or choose_one(texts, what="texts", where=where, say=say), None
    if stated.path is not None:
        return "path", stated.path, None
    marked = [name for name, feature in features.items() if feature.get("_type") == "Image"]
    typed = [field.name for field in schema if _holds_bytes(field.type)]
    candidates = [name for name in marked if name in typed] or typed
    if not candidates and stated.image is None:
        paths = [name for name in _PATHS if name in schema.names]
        if not paths and any(name in schema.names for name in _TEXTS):
            raise UserError(f"{where}: {HOLDS_TEXTS}")
        say = f"{_SAY % 'image'}, or path"
        return "path", choose_one(paths, what="pictures", where=where, say=say), None
    image = stated.image or choose_one(
        candidates, what="the pictures", where=where, say=_SAY % "image"
    )
    if not _holds_bytes(schema.field(image).type):
        raise UserError(f"{where}: the column {image!r} holds no bytes of pictures' files")
    if schema.field(image).type.num_fields:
        has_path = schema.field(image).type.get_field_index("path") >= 0
        return "image", f"{image}.bytes", f"{image}.path" if has_path else None
    return "image", image, None


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types

    if pyarrow.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _is_empty(table: Any, group: int, column: str) -> bool:
    """Tells whether a column has no value in a group of rows, as far as the file says."""
    chunks = table.metadata.row_group(group)
    for index in range(chunks.num_columns):
        chunk = chunks.column(index)
        if chunk.path_in_schema == column and chunk.statistics is not None:
            found = chunk.statistics
            return bool(found.has_null_count and found.null_count == chunk.num_values)
    return False


def _inner(values: Mapping[str, Any], column: str) -> Any:
    name, _, part = column.partition(".")
    if column in values or not part:
        return values[column]
    return values[name][part] if values[name] is not None else None
