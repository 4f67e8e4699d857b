"""The commands on anybody's `.tflite`: they need no recipe, no store, and no TensorFlow."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.terminal.console import open_console

if TYPE_CHECKING:
    from components.common.documents.base import Part

lite_app = typer.Typer()

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL.tflite", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextlib.contextmanager
def lite_extra() -> Iterator[None]:
    """Says which extra to install where a library of it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"this needs {error.name}, which is not installed: install requirements/lite.lock, as "
            "docs/install.md says"
        ) from error


def print_json(found: "Part") -> None:
    say(found.model_dump_json(indent=2))


@lite_app.command()
def inspect(
    model: ModelFile,
    json_: JsonOption = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every layer and tensor, not only the largest.")
    ] = False,
) -> None:
    """Show what a `.tflite` holds: operators, bytes by tensor, overhead, layers and their cost."""
    with lite_extra():
        from components.tools.inspect import inspect as examine
    found = examine(model)
    if json_:
        print_json(found)
        return
    from pipeline.terminal.lite_views import inspection_view

    open_console().print(inspection_view(found, most=_EVERY if all_ else _FEW))


_FEW, _EVERY = 12, 1_000_000
