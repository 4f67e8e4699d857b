"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from components.common.errors import UserError

DEFAULT_DATA_ROOT = "litesmith-data"
SHIPPED_NAMES = ", ".join(
    sorted(file.stem for file in Path(__file__).parents[1].glob("recipe/recipes/*.yaml"))
)
"""Without importing pipeline.recipe, so that help and completion answer at once."""

RecipeArgument = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help=f"A shipped recipe ({SHIPPED_NAMES}) or a file."),
]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value, such as train.epochs=3. Paths are relative to the working folder.",
    ),
]
TinyOption = Annotated[bool, typer.Option("--tiny", help="Take the recipe's small variant.")]
DataRootOption = Annotated[
    str,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Holds shards, finished work and runs: a folder or gs://.",
    ),
]
RegistryOption = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="DIR",
        help="Holds the published models: a folder or gs://. [default: DATA_ROOT/registry]",
    ),
]
TargetOption = Annotated[
    str,
    typer.Option("--target", metavar="TARGET", help="A target's file, or its name in targets/."),
]
OptionalTargetOption = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="TARGET", help="A cluster in place of this machine: a target's file."
    ),
]


def resolve_root(root: str) -> str:
    """Makes a folder absolute; leaves an address, such as gs://bucket/prefix, as it is."""
    return root if "://" in root else str(Path(root).expanduser().resolve())


def resolve_registry(registry: str | None, data_root: str) -> str:
    """Returns where models are published, if nothing else is said: below the data root."""
    return resolve_root(registry or f"{data_root}/registry")


def existing_root(data_root: str) -> str:
    """Makes a data root absolute.

    Raises:
      UserError: it is a folder, and not there.
    """
    root = resolve_root(data_root)
    if "://" not in root and not Path(root).is_dir():
        raise UserError(f"--data-root {data_root}: there is no such folder")
    return root
