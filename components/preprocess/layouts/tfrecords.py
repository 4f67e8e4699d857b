"""TFRecord files of tf.train.Example: which feature is what, the recipe says.

A picture lies in its record as it is, so that its place is one within the file, and nothing is read
twice to get at it.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.common.data.features import read_features
from components.common.data.layout import told_layout
from components.common.data.records import OVERHEAD_AFTER, OVERHEAD_BEFORE, read_records
from components.common.documents.dataset import Split
from components.common.errors import UserError
from components.common.words.figures import shown
from components.preprocess.kinds import TFRecordSource
from components.preprocess.layouts.layout import Found, Labels, Source, split_of_file
from components.preprocess.lists import OPTIONAL, options_of
from components.preprocess.places import Span
from components.preprocess.sources import SourceRecord

_SAY = "data.source: {kind: tfrecord, path: PATH, features: {image: NAME, label: NAME}}"


@dataclasses.dataclass(frozen=True)
class Mapped:
    """Which feature of an example is what."""

    example: str
    label: str
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of split, group and slice those that are there."""


def list_records(source: Source, settings: TFRecordSource) -> Found:
    """Lists the examples of all files; see `layouts`."""
    paths = sorted(path for path in source.tree.files if told_layout(path) == "tfrecord")
    if not paths:
        raise UserError(f"{source.root}: holds no .tfrecord file")
    stated = settings.features.stated()
    what = "text" if source.task == "text" else "image"
    if what not in stated or "label" not in stated:
        raise UserError(
            f"{source.root}: data.source.features must say which feature holds the {what} and "
            f"which the label; {describe_features(source, paths[0])}"
        )
    others = {name: stated[name] for name in OPTIONAL if name in stated}
    mapped, labels = Mapped(stated[what], stated["label"], others), Labels(settings.class_names)
    records = [
        record
        for path in paths
        for record in read_examples(source, path, mapped, labels, split=split_of_file(path))
    ]
    return Found(records, class_names=settings.class_names or ())


def describe_features(source: Source, path: str) -> str:
    """Says which features the first example of a file has."""
    features = next((features for _, _, features in _scan(source, path)), {})
    names = [f"{name} ({_kind(values)})" for name, values in sorted(features.items())]
    return f"{path} has {shown(names) or 'no example'}: {_SAY}"


def read_examples(
    source: Source, path: str, mapped: Mapped, labels: Labels, *, split: Split | None
) -> Iterator[SourceRecord]:
    """Yields the records of one file.

    Args:
      source: that it is of.
      path: of the file.
      mapped: which feature is what.
      labels: what the labels mean.
      split: what the file's own name states.

    Raises:
      UserError: the file is damaged, or an example lacks a feature.
    """
    for number, (start, body, features) in enumerate(_scan(source, path)):
        where = f"{source.named(path)}, example {number}"
        place = f"{path}/{number:08d}"
        if not source.sieve.keeps_listed(place):
            continue
        content = _only(features, mapped.example, where)
        if not isinstance(content, bytes):
            raise UserError(f"{where}: the feature {mapped.example!r} holds numbers, not bytes")
        label = labels.name_of(_only(features, mapped.label, where), where)
        said = {name: _text(_only(features, key, where)) for name, key in mapped.others.items()}
        known = {"label": label, **options_of(said, where=where)}
        known["split"] = known["split"] or split
        if source.task == "text":
            yield SourceRecord(place, text=content.decode("utf-8", "surrogateescape"), **known)
        else:
            # Wherever in the record these bytes stand, they are the same.
            span = Span(path, start + body.find(content), len(content))
            yield SourceRecord(place, place=span, **known)


def _scan(source: Source, path: str) -> Iterator[tuple[int, bytes, Mapping[str, Sequence[Any]]]]:
    """Yields where each record begins, the record, and its features."""
    name, start = source.named(path), OVERHEAD_BEFORE
    with source.open(path) as file:
        if file.read(2) == b"\x1f\x8b":
            raise UserError(
                f"{name}: is compressed as a whole, so that it can't be read in parts; unpack it"
            )
        file.seek(0)
        try:
            for body in read_records(file, name=name):
                yield start, body, read_features(body)
                start += len(body) + OVERHEAD_AFTER + OVERHEAD_BEFORE
        except ValueError as error:
            problem = str(error).removeprefix(f"{name}: ")
            raise UserError(
                f"{name}: {problem}; expected a whole TFRecord file of tf.train.Example, not packed"
            ) from error


def _only(features: Mapping[str, Sequence[Any]], name: str, where: str) -> Any:
    values = features.get(name, ())
    if len(values) != 1:
        raise UserError(
            f"{where}: has {len(values)} values of the feature {name!r}, where one is expected; "
            f"it has {shown(sorted(features))}"
        )
    return values[0]


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _kind(values: Sequence[Any]) -> str:
    kind = {bytes: "bytes", int: "whole numbers", float: "numbers"}
    return kind[type(values[0])] if values else "empty"
