"""The commands that look at targets: validate, schema."""

import json
from typing import Annotated

import typer

from components.common.words.terminal import say

target_app = typer.Typer(help="Look at targets: where a run is computed.", no_args_is_help=True)


@target_app.command("validate")
def target_validate(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A target's file, or its name in targets/.")
    ],
) -> None:
    """Check a target's file."""
    from pipeline.target import load_target

    say(f"{target}: fine; {load_target(target).kind}")


@target_app.command("schema")
def target_schema() -> None:
    """Print the JSON Schema of target files, for an editor to check them by."""
    from pipeline.target import target_schema as schema

    say(json.dumps(schema(), indent=2))
