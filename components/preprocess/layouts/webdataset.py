"""WebDataset: tar files in which an example is the files of one base name, one after the other.

A member's base name reaches up to the first dot of its file name; what follows is its field:
`dir/0001.jpg` and `dir/0001.cls` are the fields `jpg` and `cls` of `dir/0001`. A tar is read once
from its beginning to its end; what is kept of a picture is where its bytes lie.
"""

import dataclasses
import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.common.words.figures import shown
from components.preprocess.kinds import WebDatasetSource
from components.preprocess.layouts.layout import (
    Found,
    Labels,
    Source,
    choose_one,
    read_text,
    split_of_file,
)
from components.preprocess.places import Span
from components.preprocess.sources import Sieve, SourceRecord
from components.preprocess.trees import is_text

_LABELS = ("cls", "label")
_MOST_LABEL_BYTES = 1 << 20
_MOST_PADDING = 21 << 9
"""Zeros at a tar's end: blocks of 512 bytes, up to a record of 20, and one more."""
_SAY = "data.source: {kind: webdataset, label: FIELD}, or json.KEY"


@dataclasses.dataclass
class _Sample:
    """The files of one example."""

    key: str
    fields: dict[str, Span]
    labels: dict[str, Any]
    """By where they stand: `cls`, `json.label`."""


def list_records(source: Source, settings: WebDatasetSource) -> Found:
    """Lists the examples of all tar files; see `layouts`."""
    paths = source.files(".tar")
    if not paths:
        raise UserError(
            f"{source.root}: holds no .tar file (one that is compressed as a whole can't be read "
            "in parts: unpack .tar.gz to .tar)"
        )
    labels, fields, records = Labels(settings.class_names), set[str](), list[SourceRecord]()
    for path in paths:
        for sample in _read_samples(source, settings, path):
            records.append(_record(source, settings, path, sample, labels))
            fields |= sample.fields.keys()
    if fields and not any(record.label for record in records):
        raise UserError(
            f"{source.root}: no example has a label; its files end in "
            f"{shown([f'.{field}' for field in sorted(fields)])}: say which holds it, by {_SAY}; "
            "unpack tars whose folders name the classes"
        )
    return Found(records, class_names=settings.class_names or ())


def _record(
    source: Source, settings: WebDatasetSource, path: str, sample: _Sample, labels: Labels
) -> SourceRecord:
    where = f"{source.named(path)}, {sample.key}"
    held = [name for name in sample.fields if sources_of(source.task).is_named(f"{name}.{name}")]
    label = None
    if sample.labels:
        named = {at: labels.name_of(value, where) for at, value in sample.labels.items()}
        if len(set(named.values())) > 1:
            choose_one(list(named), what="the label, and they differ", where=where, say=_SAY)
        label = next(iter(named.values()))
    if not held:
        return SourceRecord(f"{path}/{sample.key}", label, split_of_file(path))
    field = choose_one(
        held, what="the example", where=where, say="name the other in data.exclude, as *.FIELD"
    )
    name = f"{path}/{sample.key}.{field}"
    return SourceRecord(name, label, split_of_file(path), place=sample.fields[field])


def _read_samples(source: Source, settings: WebDatasetSource, path: str) -> Iterator[_Sample]:
    seen: set[str] = set()
    current = None
    with source.open(path) as file:
        for member, content in _read_members(file, source.named(path), source.sieve):
            folder, _, name = _shown(member.name).removeprefix("./").rpartition("/")
            base, _, field = name.partition(".")
            key = f"{folder}/{base}" if folder else base
            if not base or not field or not source.sieve.keeps_entry(f"{path}/{key}.{field}"):
                continue
            where = f"{source.named(path)}, {key}.{field}"
            if current is None or current.key != key:
                if current is not None:
                    yield current
                if key in seen:
                    raise UserError(
                        f"{where}: the files of one example do not stand beside one another; sort "
                        "the tar by name"
                    )
                seen.add(key)
                current = _Sample(key, {}, {})
            field = field.lower()
            if field in current.fields:
                raise UserError(f"{where}: the example has the field {field} twice; remove one")
            current.fields[field] = Span(path, member.offset_data, member.size)
            try:
                current.labels.update(_labels(field, content, settings.label, where))
            except tarfile.TarError as error:
                raise UserError(f"{where}: the tar ends within it: {error}") from error
    if current is not None:
        yield current


def _read_members(
    file: BinaryIO, name: str, sieve: Sieve
) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    """Yields the files of a tar with what reads them, in their order.

    Links are passed over: what they lead to lies elsewhere, or comes under a name of its own.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # It would keep them all.
                if member.isreg() and not member.issparse():
                    content = archive.extractfile(member)
                    assert content is not None
                    yield member, content  # type: ignore[misc]
                elif not member.isdir():
                    sieve.pass_over("link in a tar" if _is_link(member) else "no file in a tar")
            # A header that is damaged ends the archive for tarfile, without a word; so does the end
            # of the first of several that were put one after the other.
            file.seek(archive.offset)
            if file.read(_MOST_PADDING + 1).strip(b"\0"):
                raise tarfile.ReadError(f"goes on after its end at byte {archive.offset}")
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{name}: is no whole tar file: {error}") from error


def _is_link(member: tarfile.TarInfo) -> bool:
    return member.islnk() or member.issym()


def _labels(field: str, content: BinaryIO, asked: str | None, where: str) -> dict[str, Any]:
    """Returns the labels that one file of an example holds, by where they stand."""
    stated, _, key = (asked or "").partition(".")
    if field == "json" and (asked is None or stated == "json"):
        try:
            values = json.loads(read_text(content, _MOST_LABEL_BYTES, where))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not valid JSON: {error}") from error
        key = key or "label"
        value = values.get(key) if isinstance(values, dict) else None
        return {} if value is None else {f"json.{key}": value}
    if field == asked or (asked is None and field in _LABELS):
        return {field: read_text(content, _MOST_LABEL_BYTES, where).strip()}
    return {}


def _shown(name: str) -> str:
    return name if is_text(name) else os.fsencode(name).decode("utf-8", "backslashreplace")
