"""YAML as recipes read it: its core schema, and no key twice.

PyYAML follows YAML 1.1, where `3e-4` is a string, `off` a boolean and `12:30` a number in
base 60. A recipe means what it seems to mean: the core schema of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema).
"""

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """A safe loader with the core schema's scalars, which refuses a key given twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
        r"|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}",
        re.compile(f"(?:{_pattern})$"),
        ["" if character == "\0" else character for character in _first],
    )


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value)  # Without YAML 1.1's octal 010.


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is no name", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key} was given on line {seen[key]} already", key_node.start_mark
            )
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str) -> Any:
    """Parses one YAML document.

    Raises:
      ValueError: it is no YAML, or gives a key twice; names line and column.
    """
    try:
        # A SafeLoader: nothing but plain values can come out.
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
