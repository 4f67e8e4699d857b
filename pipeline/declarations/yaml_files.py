"""YAML as recipes, targets, schedules and `--set` are read and written.

A value means what it seems to mean: the core schema of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema), in which `3e-4` is a number, `off` a word and
`12:30` too, and of which JSON is a part. Beside it, digits may be grouped as in Python:
`4_000_000` is an integer, for nobody means a word by it. Octal and hexadecimal numbers are
words here.

Files come from others, with a pull request for instance, so reading one has bounds: of size, of
depth, of a number's digits, and of the values there are once aliases, by which a few lines can
stand for a billion, have been written out. Tags are refused, and so is a key that is given twice.
"""

import io
import json
import math
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.tag import Tag

from components.common.errors import UserError

MAX_BYTES = 256 * 1024
"""Of a file: two seconds of reading, and a hundred times the longest recipe."""
MAX_DEPTH = 32
"""Of mappings and lists within one another; a recipe has four."""
MAX_EVENTS = 100_000
"""Of the parser, with what aliases stand for: a value is one, a mapping or list has two."""
_MAX_INTEGER = 2**63 - 1
_TEXT = Tag(suffix="tag:yaml.org,2002:str")

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def read_yaml(path: Path) -> Any:
    """Reads a file of one YAML document.

    Raises:
      UserError: the file is missing, no plain file, too large, no UTF-8, or no YAML as it is
        read here; names the file and, within it, the line.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: is no plain file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return parse_yaml(data.decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error})") from error
    except ValueError as error:
        raise UserError(f"{path}: can't be read as YAML: {error}") from error


def parse_yaml(text: str) -> Any:
    """Parses one YAML document.

    Returns:
      Mappings with text as keys, lists, text, integers of 64 bits, finite floats, booleans,
      None.

    Raises:
      ValueError: it is no YAML, gives a key twice, or goes beyond what is read here; names
        line and column.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} characters")
    try:
        return _document(_write_out(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(_at(mark, error.problem or error.context)) from error
    except YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def write_yaml(values: Any) -> str:
    """Returns values as YAML that `parse_yaml` reads as the same."""
    stream = io.StringIO()
    events = [StreamStartEvent(), DocumentStartEvent(), *_events(values)]
    YAML(typ="safe", pure=True).emit([*events, DocumentEndEvent(), StreamEndEvent()], stream)
    return stream.getvalue()


def _write_out(events: Iterator[Event]) -> Iterator[Event]:
    """Yields events with those of the anchor's value in the place of each alias."""
    given: list[Event] = []
    spans: dict[str | None, tuple[int, int]] = {}  # Of each anchor's value among the given.
    begun: list[tuple[str | None, int]] = []
    for event in events:
        own = [event]
        if isinstance(event, AliasEvent):
            if event.anchor not in spans:
                raise _refusal(event, f"the alias *{event.anchor} stands for no value before it")
            own = given[slice(*spans[event.anchor])]
        if len(given) + len(own) > MAX_EVENTS:
            raise _refusal(event, f"more than {MAX_EVENTS:,} values, with what aliases stand for")
        if isinstance(event, ScalarEvent):
            spans[event.anchor] = len(given), len(given) + 1
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            begun.append((event.anchor, len(given)))
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            anchor, start = begun.pop()
            spans[anchor] = start, len(given) + 1
        given += own
        yield from own


def _document(events: Iterator[Event]) -> Any:
    next(events)  # The stream's start.
    if isinstance(next(events), StreamEndEvent):
        return None
    value = _value(next(events), events, depth=0)
    next(events)  # The document's end.
    if not isinstance(another := next(events), StreamEndEvent):
        raise _refusal(another, "another document begins; one is expected")
    return value


def _value(event: Event, events: Iterator[Event], *, depth: int) -> Any:
    """Returns the value that begins with an event, and takes its other events."""
    assert isinstance(event, NodeEvent)  # Nothing else stands where a value may.
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise _refusal(event, f"the tag {tag}; nothing but plain values is read")
    if isinstance(event, ScalarEvent):
        return _scalar(event)
    if depth == MAX_DEPTH:
        raise _refusal(event, f"more than {MAX_DEPTH} mappings and lists within one another")
    if isinstance(event, SequenceStartEvent):
        return _sequence(events, depth=depth + 1)
    return _mapping(events, depth=depth + 1)


def _sequence(events: Iterator[Event], *, depth: int) -> list[Any]:
    values = []
    while not isinstance(event := next(events), SequenceEndEvent):
        values.append(_value(event, events, depth=depth))
    return values


def _mapping(events: Iterator[Event], *, depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := next(events), MappingEndEvent):
        key = _value(event, events, depth=depth)
        if not isinstance(key, str):
            raise _refusal(event, f"the key {key!r} is no name")
        if key in values:
            raise _refusal(event, f"{key} was given on line {lines[key]} already")
        values[key] = _value(next(events), events, depth=depth)
        lines[key] = event.start_mark.line + 1
    return values


def _scalar(event: ScalarEvent) -> Any:
    try:
        return _resolve(event.value) if event.implicit[0] else _whole(event.value)
    except ValueError as error:
        raise _refusal(event, str(error)) from error


def _resolve(text: str) -> Any:
    """Returns what a text without quotes stands for.

    Raises:
      ValueError: a number that nothing here can hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "").lstrip("+-").lstrip("0") or "0"
        # Looked at before it is made: converting digits takes the square of their number.
        if len(digits) > len(str(_MAX_INTEGER)) or int(digits) > _MAX_INTEGER:
            raise ValueError(f"{_shortened(text)} is too great an integer; 64 bits are read")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        if not math.isfinite(number):
            raise ValueError(f"{_shortened(text)} is infinite or no number")
        return number
    return _whole(text)


def _whole(text: str) -> str:
    """Joins the halves of characters that JSON's escapes write in two."""
    try:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise ValueError("an escape that is half of a character") from error
    if "\0" in text:
        raise ValueError("a NUL character, which no value here can have")
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:20]}… ({len(text):,} characters)"


def _refusal(event: Event, problem: str) -> MarkedYAMLError:
    return MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _at(mark: StringMark | None, problem: object) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def _events(value: Any) -> Iterator[Event]:
    """Yields the events that write a value; empty mappings and lists in one line."""
    if isinstance(value, Mapping):
        yield MappingStartEvent(None, None, implicit=True, flow_style=not value)
        for key, inner in value.items():
            yield from _events(key)
            yield from _events(inner)
        yield MappingEndEvent()
    elif isinstance(value, list | tuple):
        yield SequenceStartEvent(None, None, implicit=True, flow_style=not value)
        for inner in value:
            yield from _events(inner)
        yield SequenceEndEvent()
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        is_plain = not isinstance(value, str) or _is_word(value)
        style = None if text.isprintable() else '"'  # In which line breaks are escaped.
        # Without quotes or within them it is read as what it is: so no tag is written.
        yield ScalarEvent(None, _TEXT, (is_plain, True, True), text, style=style)


def _is_word(text: str) -> bool:
    """Returns whether a text is read as the same text without quotes."""
    try:
        return bool(_resolve(text) == text)
    except ValueError:
        return False
