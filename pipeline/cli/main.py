"""The command line: `litesmith run digits`.

Every command imports what it needs when it is called, so that help and completion answer
at once. Nothing here imports TensorFlow, Beam or kfp.
"""

import errno
import sys
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from components.common.errors import UserError
from components.common.storage import StorageError
from pipeline.cli.cache import cache_app
from pipeline.cli.ci import ci_app
from pipeline.cli.data import data_app
from pipeline.cli.lite import lite_app
from pipeline.cli.models import models_app
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    DataRootOption,
    OptionalTargetOption,
    RecipeArgument,
    RegistryOption,
    SetOption,
    TinyOption,
    resolve_registry,
    resolve_root,
)
from pipeline.cli.recipes import recipe_app
from pipeline.cli.runs import runs_app
from pipeline.cli.schedules import schedule_app
from pipeline.cli.submission import submission_app
from pipeline.cli.targets import target_app
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import MEANINGS, ExitCode

_EXIT_CODES = "\n\n".join(f"{code.value:>3}: {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="litesmith",
    help="From a labelled data set to the smallest TFLite model that still meets its budgets.",
    epilog=f"Exit status:\n\n{_EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(recipe_app, name="recipe")
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(cache_app, name="cache")
app.add_typer(models_app, name="models")
app.add_typer(submission_app)
app.add_typer(ci_app)
app.add_typer(lite_app)
app.add_typer(schedule_app, name="schedule")
app.add_typer(target_app, name="target")


def main() -> None:
    """Runs the command line; ends the process with one of the documented statuses."""
    try:
        app()
    except StorageError as error:
        _end(str(error), ExitCode.UNEXPECTED)
    except UserError as error:
        _end(str(error), ExitCode.BAD_INPUT)
    except OSError as error:
        if (remedy := _REMEDIES.get(error.errno or 0)) is None:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror}; {remedy}", ExitCode.BAD_INPUT)


def _end(message: str, code: ExitCode) -> NoReturn:
    console = open_console(stderr=True, soft_wrap=True)
    console.print(Text.assemble(("error:", "bold red"), f" {message}"))
    sys.exit(code)


_PERMISSION = "give this user the right to read and write there, or name another place"
_SPACE = "free some space (`litesmith cache prune` frees what no run uses), or name another place"
_REMEDIES = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _PERMISSION,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}
"""What to do where the file system refuses, whichever command met it."""


@app.command(epilog=f"Exit status:\n\n{_EXIT_CODES}")
def run(
    recipe: RecipeArgument,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    tiny: TinyOption = False,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Compute everything anew; the results take the place of those in the store.",
        ),
    ] = False,
) -> None:
    """Run a recipe's whole pipeline on this machine, from labelled data to a blessed model."""
    from pipeline.local.driver import run_locally
    from pipeline.recipe import load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency

    loaded = load_recipe(recipe, overrides, tiny=tiny)
    check_sufficiency(loaded)
    code = run_locally(
        loaded,
        data_root=resolve_root(data_root),
        registry=resolve_registry(registry, data_root),
        command=sys.argv,
        console=open_console(),
        fresh=fresh,
    )
    raise typer.Exit(code)


@app.command()
def doctor(
    recipe: RecipeArgument = "digits",
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
    target: OptionalTargetOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial",
            help="Also build the model with random weights and make every candidate of it, of a "
            "search one by each step that it may take: minutes of processor time.",
        ),
    ] = False,
) -> None:
    """Check what a run of a recipe will need: the data first, in seconds."""
    from pipeline.doctor import examine
    from pipeline.doctor.view import show_findings
    from pipeline.recipe import load_recipe
    from pipeline.target import load_target

    loaded_target = load_target(target) if target is not None else None
    loaded = load_recipe(recipe, overrides, tiny=tiny)
    findings = examine(
        loaded if loaded_target is None else loaded_target.located(loaded),
        data_root=resolve_root(data_root),
        registry=resolve_registry(registry, data_root),
        target=loaded_target,
        trial=trial,
    )
    if not show_findings(open_console(), findings):
        raise typer.Exit(ExitCode.BAD_INPUT)


if __name__ == "__main__":
    main()
