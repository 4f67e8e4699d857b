"""Every JSON document: what was changed is never believed, and never a traceback."""

import dataclasses
import hashlib
import importlib
import json
import pkgutil
import random
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import components.common.documents
import components.preprocess.ledger
import pipeline.kubeflow.ci
import pipeline.runs.folders
from components.common.digests import canonical_json
from components.common.documents.base import Document
from components.common.documents.outcome import Outcome
from components.common.documents.record import Record
from components.common.errors import DamagedError
from components.common.storage import SMALL_BYTES

MUTATIONS = 1000
for module in pkgutil.iter_modules(components.common.documents.__path__):
    importlib.import_module(f"components.common.documents.{module.name}")
# They declare some more.
OURS = (components.preprocess.ledger, pipeline.kubeflow.ci, pipeline.runs.folders)


def subclasses(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


DOCUMENTS = sorted(
    (kind for kind in subclasses(Document) if not kind.__module__.startswith("tests.")),
    key=lambda kind: kind.__name__,
)


def fabricate(annotation: Any, name: str = "") -> Any:
    """Returns a value of an annotated type that leaves nothing empty."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        hints = typing.get_type_hints(annotation)
        values = {field: fabricate(hints[field], field) for field in annotation.model_fields}
        return values if "schema_version" not in values else {**values, "schema_version": 1}
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return {
            field.name: fabricate(hints[field.name]) for field in dataclasses.fields(annotation)
        }
    if origin is typing.Annotated:
        return fabricate(arguments[0], name)
    if origin is Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return fabricate(next(each for each in arguments if each is not type(None)), name)
    if origin is tuple:
        kinds = [each for each in arguments if each is not Ellipsis]
        return [fabricate(each, name) for each in (kinds * 2 if len(kinds) == 1 else kinds)]
    if origin in (Mapping, dict) or getattr(origin, "__name__", "") == "Mapping":
        key = fabricate(arguments[0], name)
        return {key: fabricate(arguments[1], name)}
    if annotation is str:
        moment = name in ("started", "created", "blessed_at")
        return "2025-01-01T00:00:00+00:00" if moment else "a" * 64
    return {int: 3, float: 0.25, bool: True, Any: [1, {"depth": 2}]}[annotation]


@pytest.fixture(params=DOCUMENTS, ids=lambda kind: kind.__name__)
def document(request: pytest.FixtureRequest) -> Document:
    return request.param.model_validate(fabricate(request.param))


def damaged(data: bytes, source: random.Random) -> bytes:
    """Flips a bit, or cuts, repeats or overwrites a part."""
    first, last = sorted(source.randrange(len(data)) for _ in range(2))
    how = source.randrange(5)
    if how == 0:
        flipped = bytearray(data)
        flipped[first] ^= 1 << source.randrange(8)
        return bytes(flipped)
    if how == 1:
        return data[:first]
    if how == 2:
        return data[:first] + data[last:]
    if how == 3:
        return data[:last] + data[first:]
    return data[:first] + source.randbytes(last - first) + data[last:]


def test_what_was_damaged_is_never_believed(document: Document) -> None:
    source = random.Random(0)
    data = document.to_json().encode() + b"\n"
    assert type(document).parse(data) == document
    for _ in range(MUTATIONS):
        changed = damaged(data, source)
        if changed.removesuffix(b"\n") == data.removesuffix(b"\n"):
            continue
        with pytest.raises(DamagedError, match=type(document).file_name):
            type(document).parse(changed)


HOSTILE = (
    None, True, -1, 0, 1 << 70, -(1 << 70), 1e308, 0.5, "", "text", "\0", "\x1b[2J", "../..",
    "2025-13-01", "9" * 20, [], [[]], {}, {"": None}, ["a", 1, None],
)  # fmt: skip


def replaced(value: Any, source: random.Random) -> Any:
    """Returns a JSON value in which one part somewhere is another."""
    if isinstance(value, dict) and value and source.random() < 0.8:
        key = source.choice(sorted(value))
        if source.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        if source.random() < 0.1:
            return {**value, "unknown": 1}
        return {**value, key: replaced(value[key], source)}
    if isinstance(value, list) and value and source.random() < 0.8:
        at = source.randrange(len(value))
        return [*value[:at], replaced(value[at], source), *value[at + 1 :]]
    return source.choice(HOSTILE)


def sealed(text: str) -> bytes:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"digest":"{digest}",{text[1:]}'.encode()


def test_what_a_stranger_wrote_is_a_document_or_refused(document: Document) -> None:
    source = random.Random(1)
    values = document.model_dump(mode="json")
    for _ in range(MUTATIONS):
        changed = replaced(values, source)
        if not isinstance(changed, dict) or not changed:
            continue
        try:
            found = type(document).parse(sealed(canonical_json(changed)))
        except DamagedError:
            continue
        assert type(document).parse(found.to_json().encode()) == found


@pytest.mark.parametrize(
    "value",
    [
        "[" * 100_000 + "]" * 100_000,
        "9" * 100_000,
        "-" + "9" * 5_000,
        "1e400",
        "NaN",
        '"\\ud800"',
        "\0",
    ],
    ids=lambda value: value[:8],
)
def test_texts_that_exhaust_a_reader_are_refused(value: str) -> None:
    values = fabricate(Record) | {"config": {"epochs": "PLACE"}}
    text = canonical_json(Record.model_validate(values).model_dump(mode="json"))
    with pytest.raises(DamagedError):
        Record.parse(sealed(text.replace('"PLACE"', value)))


def test_a_newer_document_is_called_newer() -> None:
    values = {"schema_version": 2, "run_id": "a", "added": True}
    for data in (json.dumps(values, indent=1).encode(), sealed(canonical_json(values))):
        with pytest.raises(
            DamagedError, match="newer litesmith .format 2, this one reads 1.*updat"
        ):
            Outcome.parse(data)


def test_a_whole_document_that_lacks_a_field_is_called_older_not_damaged() -> None:
    with pytest.raises(
        DamagedError, match=r"of an older litesmith.*run_id: Field required"
    ) as told:
        Outcome.parse(sealed(canonical_json({"schema_version": 1})))
    assert "damaged" not in str(told.value)


def test_what_is_empty_or_no_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / Outcome.file_name
    path.write_bytes(b"")
    with pytest.raises(DamagedError, match="outcome.json: is empty"):
        Outcome.read(tmp_path)
    path.unlink()
    path.touch()
    with path.open("wb") as sparse:
        sparse.truncate(SMALL_BYTES + 1)
    with pytest.raises(DamagedError, match="holds more than the"):
        Outcome.read(tmp_path)


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_document_is_none(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / Outcome.file_name)
    with pytest.raises(FileNotFoundError):
        Outcome.read(tmp_path)


def test_a_document_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    outcome = Outcome(run_id="run", state="failed", verdict=None, message="first", failed_task=None)
    outcome.write(tmp_path)
    link = tmp_path / "another name of it"
    link.hardlink_to(tmp_path / Outcome.file_name)
    outcome.model_copy(update={"message": "second"}).write(tmp_path)
    assert Outcome.parse(link.read_bytes()) == outcome
    assert Outcome.read(tmp_path).message == "second"
