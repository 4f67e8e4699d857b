"""A recipe as a person reads it: YAML, with what each value means above it."""

import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.common.config import Choice, Section
from pipeline.declarations.yaml_files import write_yaml
from pipeline.recipe.recipe import Recipe

_WIDTH = 100


def write_commented(recipe: Recipe) -> str:
    """Returns the whole recipe, defaults included: the YAML of `to_yaml`, with comments."""
    return "\n".join(_lines(recipe, recipe.stated(), "")) + "\n"


def write_section(section: Section) -> str:
    """Returns a section that stands in a file of its own, likewise."""
    return "\n".join(_lines(section, section.model_dump(mode="json"), "")) + "\n"


def _lines(model: BaseModel, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        if key not in values:
            continue  # The recipe fills it in.
        if isinstance(value, BaseModel) and not indent:
            yield ""  # What a whole section is, its name says.
        else:
            yield from _comment(field, indent)
        yield from _entry(key, value, values[key], indent)


def _entry(key: str, value: Any, written: Any, indent: str) -> Iterator[str]:
    """Yields a key with its value; the sections in it with comments of their own.

    Args:
      key: as it is written.
      value: the section's own.
      written: the same as `stated` gives it.
      indent: before the key.
    """
    sections = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, BaseModel):
        yield _written_key(key, indent)
        yield from _lines(value, written, indent + "  ")
    elif isinstance(value, Mapping) and any(isinstance(each, BaseModel) for each in sections):
        yield _written_key(key, indent)
        for name, each in value.items():
            yield from _entry(name, each, written[name], indent + "  ")
    elif isinstance(value, tuple) and any(isinstance(each, Choice) for each in sections):
        yield _written_key(key, indent)
        for each, own in zip(value, written, strict=True):
            yield from _item(each, own, indent)
    else:
        yield from textwrap.indent(write_yaml({key: written}), indent).splitlines()


def _item(choice: Choice, written: Any, indent: str) -> Iterator[str]:
    if isinstance(written, str):
        yield f"{indent}- {written}"
        return
    yield f"{indent}- {choice.kind}:"
    yield from _lines(choice.settings, written[choice.kind], indent + "    ")


def _written_key(key: str, indent: str) -> str:
    return indent + write_yaml({key: {}}).removesuffix(" {}\n")


def _comment(field: FieldInfo, indent: str) -> Iterator[str]:
    """Yields what is said of a field or of the section that it takes, and the words it takes."""
    options = _options(field.annotation)
    sections = (option.__doc__ for option in options if _is_section(option))
    sentences = [field.description or next(sections, None) or ""]
    for beginning, listed in (("One of", options), ("Each one of", _items(options))):
        if words := [str(word) for option in listed for word in _words(option)]:
            sentences.append(f"{beginning} {', '.join(words)}.")
    yield from textwrap.wrap(
        " ".join(" ".join(sentences).split()),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
    )


def _options(annotation: Any) -> tuple[Any, ...]:
    """Returns the members of a union, or the one type there is."""
    if typing.get_origin(annotation) is Annotated:
        return _options(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        return tuple(option for member in members for option in _options(member))
    return (annotation,)


def _items(options: Iterable[Any]) -> tuple[Any, ...]:
    """Returns what may stand in the lists among some types."""
    lists = (option for option in options if typing.get_origin(option) is tuple)
    items = (item for option in lists for item in typing.get_args(option) if item is not ...)
    return tuple(option for item in items for option in _options(item))


def _is_section(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)


def _words(option: Any) -> tuple[object, ...]:
    if isinstance(option, type) and issubclass(option, Choice):
        return tuple(option.model_fields)
    return typing.get_args(option) if typing.get_origin(option) is Literal else ()
