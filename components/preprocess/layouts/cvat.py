"""CVAT's export `CVAT for images`: an annotations.xml, in which a picture's class is its tag."""

import io
from collections.abc import Iterator
from xml.etree import ElementTree

from components.common.data.layout import stated_split
from components.common.errors import UserError
from components.preprocess.kinds import CVATSource
from components.preprocess.layouts.layout import Found, Source
from components.preprocess.lists import check_name
from components.preprocess.sources import SourceRecord

ANNOTATIONS = "annotations.xml"
_MOST_DEPTH = 16


def list_records(source: Source, settings: CVATSource) -> Found:
    """Lists the pictures of an export; see `layouts`."""
    named = list(_read(source))
    if not named:
        raise UserError(
            f"{source.named(ANNOTATIONS)}: names no picture, as an export `CVAT for images` does; "
            "if it is none, name it in data.exclude"
        )
    records = [record for record in named if source.sieve.keeps_listed(record.path)]
    if records and not any(record.label for record in records):
        raise UserError(
            f"{source.named(ANNOTATIONS)}: no picture has a tag; boxes and other shapes name no "
            "class for a whole picture"
        )
    return Found(records)


def _read(source: Source) -> Iterator[SourceRecord]:
    name, data = source.named(ANNOTATIONS), source.read(ANNOTATIONS)
    if b"\0" in data:  # UTF-16, whatever its first line says; entities would not be seen in it.
        raise UserError(f"{name}: is not UTF-8 text, as CVAT exports it")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UserError(f"{name}: declares entities, which no export of CVAT's does")
    file, parser, depth = io.BytesIO(data), ElementTree.XMLParser(encoding="utf-8"), 0
    try:
        for event, element in ElementTree.iterparse(file, ("start", "end"), parser=parser):
            depth += 1 if event == "start" else -1
            if depth > _MOST_DEPTH:
                raise UserError(f"{name}: is nested too deeply")
            if event == "end" and element.tag == "image":
                yield _record(source, element, name)
                element.clear()
    except ElementTree.ParseError as error:
        raise UserError(f"{name}: not valid XML: {error}") from error


def _record(source: Source, element: ElementTree.Element, name: str) -> SourceRecord:
    picture = element.get("name", "")
    where = f"{name}, image {element.get('id', picture)}"
    if not picture:
        raise UserError(f"{where}: has no name")
    subset = element.get("subset", "")
    labels = list(dict.fromkeys(tag.get("label", "") for tag in element.findall("tag")))
    if len(labels) > 1:
        raise UserError(
            f"{where}: has the tags {labels[0]!r} and {labels[1]!r}; a classifier gives each "
            "picture one class: leave one tag"
        )
    path = source.find(f"images/{subset}/{picture}" if subset else f"images/{picture}")
    label = check_name(labels[0], "tag", where) if labels else None
    return SourceRecord(path, label, stated_split(subset))
