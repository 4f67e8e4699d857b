"""A recipe as a person reads it: YAML, with what each value means above it."""

import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.declarations.yaml_files import write_yaml
from pipeline.recipe.recipe import Recipe

_WIDTH = 100


def write_commented(recipe: Recipe) -> str:
    """Returns the whole recipe, defaults included: the YAML of `to_yaml`, with comments."""
    return "\n".join(_lines(recipe, recipe.stated(), "")) + "\n"


def _lines(model: BaseModel, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        if key not in values:
            continue  # The recipe fills it in.
        is_section = isinstance(value, BaseModel)
        if is_section and not indent:
            yield ""  # What a whole section is, its name says.
        else:
            yield from _comment(field, indent)
        if is_section:
            yield f"{indent}{key}:"
            yield from _lines(value, values[key], indent + "  ")
        else:
            yield from textwrap.indent(write_yaml({key: values[key]}), indent).splitlines()


def _comment(field: FieldInfo, indent: str) -> Iterator[str]:
    """Yields what is said of a field or of the section that it takes, and the words it takes."""
    options = _options(field.annotation)
    sections = (option.__doc__ for option in options if _is_section(option))
    sentences = [field.description or next(sections, None) or ""]
    if words := [str(word) for option in options for word in _words(option)]:
        sentences.append(f"One of {', '.join(words)}.")
    yield from textwrap.wrap(
        " ".join(" ".join(sentences).split()),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
    )


def _options(annotation: Any) -> tuple[Any, ...]:
    """Returns the members of a union, or the one type there is."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_section(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)


def _words(option: Any) -> tuple[object, ...]:
    return typing.get_args(option) if typing.get_origin(option) is Literal else ()
