"""Marks in texts that KFP, Argo and Kubernetes take for their own.

KFP replaces `{{$.inputs...}}` in what a task is given, on a laptop too, and looks there for its
workspace where a text has the path of one. Argo replaces `{{workflow...}}` and its like in a whole
workflow. Kubernetes replaces `$(NAME)` in a container's arguments from the environment, secrets
included, and makes `$` of `$$` there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.common.errors import UserError
from pipeline.declarations.refusals import shown

_MARKS = {
    "{{": "KFP and Argo take for a placeholder of theirs",
    "/kfp-workspace": "KFP takes for the place of a run's workspace",
    "$(": "Kubernetes takes for an environment variable",
    "$$": "Kubernetes takes for a single $",
}


def refuse_placeholders(values: Mapping[str, Any], *, source: str) -> None:
    """Refuses texts that would not reach a task as they were written.

    Args:
      values: with keys as the user knows them.
      source: where they stand, such as a file.

    Raises:
      UserError: names the key, the text, and what is taken for something else.
    """
    for key, text in _texts(values, ()):
        for mark, meaning in _MARKS.items():
            if mark in text:
                raise UserError(
                    f"{source}: {key}: holds {mark}, which {meaning}; write it differently "
                    f"(got {shown(text)})"
                )


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yields every text with its key, of a mapping's names too."""
    if isinstance(value, str):
        yield ".".join(path), value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield ".".join((*path, shown(name))), name
            yield from _texts(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, str(number)))
