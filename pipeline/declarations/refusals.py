"""A refusal in a user's words: pydantic's problems as key path, what is allowed, and value.

It also looks into the model that refused: for the keys that there are, and for the parts of a
location that name a union's member rather than a key.
"""

import difflib
import json
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

SectionTypes = Sequence[type[BaseModel]]
_TYPES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "mapping_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "string_type": "must be text: write it in quotes",
    "tuple_type": "must be a list",
}
_SHOWN_CHARACTERS = 80


def explain_problems(error: ValidationError, model: Any) -> str:
    """Returns a line on each value that was refused.

    Args:
      error: pydantic's.
      model: the class, or the union of classes, that refused.
    """
    problems = error.errors(include_url=False, include_context=False)
    return "\n".join(f"  {_explain(problem, model)}" for problem in problems)


def _explain(problem: Mapping[str, Any], model: Any) -> str:
    parts, beside, below = _follow(problem["loc"], model)
    key, kind = ".".join(parts), problem["type"]
    if kind == "extra_forbidden":
        return f"{key}: there is no such key; {_suggest(parts[-1], beside)}"
    if kind == "missing":
        return f"{key}: is required"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        kinds = sorted(str(kind) for each in below for kind in _kinds(each))
        return f"{'.'.join([*parts, 'kind'])}: must be one of {', '.join(kinds)}"
    said = problem["msg"].removeprefix("Value error, ")
    message = _TYPES.get(kind) or re.sub(r"^\w+ should ", "must ", said)
    if not key:
        return message
    value = problem["input"]
    return f"{key}: {message}" + ("" if isinstance(value, dict) else f" (got {shown(value)})")


def _follow(
    location: Sequence[str | int], model: Any
) -> tuple[list[str], SectionTypes, SectionTypes]:
    """Follows a location from a model on.

    Returns:
      The location's keys and numbers, without the names of a union's members; the classes
      that its last key is one of; and those that may stand there.
    """
    parts: list[str] = []
    beside, below = list[type[BaseModel]](), list(section_classes(model))
    for part in location:
        if part == "[key]":  # What is wrong is the name itself.
            continue
        chosen = [each for each in below if part in _kinds(each)]
        if chosen:
            below = chosen
            continue
        parts.append(str(part))
        annotations = [_fields(each)[part] for each in below if part in _fields(each)]
        beside = below
        if annotations:  # Else a number in a list, or a name in a mapping.
            below = [each for annotation in annotations for each in section_classes(annotation)]
    return parts, beside, below


def section_classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yields the classes of sections in an annotation: a class, a union, a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from section_classes(inner)


def _fields(model: type[BaseModel]) -> Mapping[str | int, Any]:
    """Returns the annotations of a section's keys."""
    fields = model.model_fields.items()
    return {field.alias or name: field.annotation for name, field in fields}


def _kinds(model: type[BaseModel]) -> tuple[object, ...]:
    """Returns what the key `kind` may be, by which a union's member is chosen."""
    return typing.get_args(_fields(model).get("kind"))


def _suggest(key: str, models: SectionTypes) -> str:
    """Says which key was meant, or which there are beside an unknown one."""
    names = sorted({str(name) for model in models for name in _fields(model)})
    alike = difflib.get_close_matches(key, names, n=1)
    return f"did you mean {alike[0]}?" if alike else f"there are {', '.join(names)}"


def shown(value: Any) -> str:
    """Returns a value as JSON, and of a long one its beginning."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
