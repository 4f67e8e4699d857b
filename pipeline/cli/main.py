"""The command line: `litesmith run digits`.

Every command imports what it needs when it is called, so that help and completion answer
at once. Nothing here imports TensorFlow, Beam or kfp.
"""

import contextlib
import errno
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.text import Text

from components.common.errors import UserError
from components.common.storage import StorageError
from components.common.words.terminal import say
from pipeline.cli.cluster import (
    cluster_app,
    cluster_runs_app,
    list_cluster_runs,
    show_cluster_run,
    target_app,
)
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    SHIPPED_NAMES,
    DataRootOption,
    OptionalTargetOption,
    RecipeArgument,
    RegistryOption,
    SetOption,
    TinyOption,
    resolve_registry,
    resolve_root,
)
from pipeline.cli.schedules import schedule_app
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import MEANINGS, ExitCode

if TYPE_CHECKING:
    from components.common.registry import Registry

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Which model, where the registry has several."),
]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION")]
_DAY_S = 86_400.0

_EXIT_CODES = "\n\n".join(f"{code.value:>3}: {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="litesmith",
    help="From a labelled data set to the smallest TFLite model that still meets its budgets.",
    epilog=f"Exit status:\n\n{_EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
recipe_app = typer.Typer(help="Look at recipes: what a run computes.", no_args_is_help=True)
runs_app = typer.Typer(help="Look at runs, here or on a cluster.", no_args_is_help=True)
cache_app = typer.Typer(help="The store of finished work.", no_args_is_help=True)
models_app = typer.Typer(help="The released models.", no_args_is_help=True)
app.add_typer(recipe_app, name="recipe")
app.add_typer(runs_app, name="runs")
app.add_typer(cache_app, name="cache")
app.add_typer(models_app, name="models")
app.add_typer(cluster_app)
runs_app.add_typer(cluster_runs_app)
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
    """Run a recipe's whole pipeline on this machine, from pictures to a blessed model."""
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
            help="Also build the model with random weights and make every candidate of it: "
            "minutes of processor time.",
        ),
    ] = False,
) -> None:
    """Check what a run of a recipe will need: the data first, in seconds."""
    from pipeline.doctor.doctor import examine
    from pipeline.doctor.view import show_findings
    from pipeline.recipe import load_recipe
    from pipeline.target.target import load_target

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


@recipe_app.command("show")
def recipe_show(
    recipe: RecipeArgument,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
) -> None:
    """Print the whole recipe, defaults included, as YAML; a comment says what each value means."""
    from pipeline.recipe import load_recipe
    from pipeline.recipe.text import write_commented

    loaded = load_recipe(recipe, overrides, tiny=tiny, locations="open")
    say(write_commented(loaded), end="")


@recipe_app.command("validate")
def recipe_validate(
    recipe: RecipeArgument,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
) -> None:
    """Check a recipe, and whether its data can prove its budgets, without running it."""
    from pipeline.recipe import check_locations, load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency, enough_records

    loaded = load_recipe(recipe, overrides, tiny=tiny, locations="open")
    check_locations(loaded)
    check_sufficiency(loaded)
    say(f"{loaded.name}: fine; {len(loaded.candidate_ids())} candidates")
    if not loaded.data.has_source():
        say("A run is to be told where the pictures are: --set data.folder=PATH, or data.list")
        if loaded.smallest_margin() is not None:
            say(f"The budgets take some {enough_records(loaded)} pictures to prove.")


@recipe_app.command("new")
def recipe_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the recipe and its model.")],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="RECIPE", help=f"The shipped recipe to copy: {SHIPPED_NAMES}."
        ),
    ] = "folder",
) -> None:
    """Copy a shipped recipe, with its comments, to NAME.yaml in the working folder."""
    from pipeline.recipe.new import copy_recipe, next_command

    path = copy_recipe(name, source=source, folder=Path.cwd())
    say(f"{path.name} is written; edit it, then: {next_command(path)}")


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON Schema of recipe files, for an editor to check them by."""
    from pipeline.recipe import recipe_schema as schema

    say(json.dumps(schema(), indent=2))


@runs_app.command("list")
def runs_list(
    data_root: DataRootOption = DEFAULT_DATA_ROOT, target: OptionalTargetOption = None
) -> None:
    """List the runs, the latest first; of a bucket those that were started here."""
    if target is not None:
        list_cluster_runs(target)
        return
    from pipeline.runs.folders import list_runs, local_folder
    from pipeline.terminal.tables import runs_table

    root = _data_root(data_root)
    runs = list_runs(local_folder(root))
    if "://" in root:
        runs = [run for run in runs if run.describe().context.data_root == root]
    if not runs:
        say(f"no run under {data_root} yet; start one with `litesmith run digits`")
        return
    open_console().print(runs_table(runs))


@runs_app.command("show")
def runs_show(
    run_id: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run's id, or how it begins; else the latest.")
    ] = "",
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    target: OptionalTargetOption = None,
) -> None:
    """Show a run: its tasks, its outcome, and where its files lie."""
    if target is not None:
        show_cluster_run(target, run_id)
        return
    from pipeline.runs.folders import find_run, local_folder
    from pipeline.terminal.tables import show_run

    show_run(open_console(), find_run(local_folder(_data_root(data_root)), run_id))


@cache_app.command("list")
def cache_list(data_root: DataRootOption = DEFAULT_DATA_ROOT) -> None:
    """List finished work by stage, with size, age and last use."""
    from components.common.storage import open_storage
    from pipeline.runs.cache import list_entries
    from pipeline.terminal.tables import entries_table

    entries = list_entries(open_storage(_data_root(data_root)))
    if not entries:
        say(f"nothing is stored under {data_root} yet")
        return
    open_console().print(entries_table(entries))


@cache_app.command("prune")
def cache_prune(
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
    keep_runs: Annotated[
        int, typer.Option("--keep-runs", min=0, help="Keep what this many latest runs used.")
    ] = 5,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
) -> None:
    """Remove finished work that neither blessed models nor the latest runs refer to.

    In a bucket, where runs of others may go on, what was written within a day stays too.
    """
    from components.common.storage import open_storage
    from pipeline.runs.cache import prune
    from pipeline.runs.folders import data_root_alone, local_folder
    from pipeline.runs.leftovers import remove_half_written, remove_leftovers
    from pipeline.terminal.tables import describe_pruned

    root = _data_root(data_root)
    models = open_storage(resolve_registry(registry, data_root))
    folders = [Path(place) for place in (root, models.root) if "://" not in place]
    in_bucket = "://" in root
    with contextlib.nullcontext() if in_bucket else data_root_alone(Path(root)):
        pruned = prune(
            open_storage(root),
            models,
            keep_runs=keep_runs,
            dry_run=dry_run,
            spare_s=_DAY_S if in_bucket else 0.0,
        )
        freed = remove_leftovers(local_folder(root), dry_run=dry_run)
        freed += remove_half_written(*folders, dry_run=dry_run)
    say(describe_pruned(pruned, left_by_killed=freed, dry_run=dry_run))


@models_app.command("list")
def models_list(
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """List the versions of every model, the oldest first."""
    from components.common.storage import open_storage
    from pipeline.runs.models import list_versions, open_model, versions_table

    models = open_storage(resolve_registry(registry, data_root))
    if model is not None:
        open_model(models, model)
    versions = list_versions(models, model)
    if not versions:
        say(f"no model is published in {models.root} yet; make one with `litesmith run digits`")
        return
    open_console().print(versions_table(versions))


@models_app.command("show")
def models_show(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The blessed one, if none is named.")
    ] = None,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Show a version: its figures, its classes, what it was made from."""
    from pipeline.runs.models import details_view, show_version

    open_console().print(details_view(show_version(_model(model, registry, data_root), version)))


@models_app.command("diff")
def models_diff(
    before: VersionArgument,
    after: VersionArgument,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Compare two versions: figures, data, configuration."""
    from pipeline.runs.models import diff_versions, diff_view

    open_console().print(
        diff_view(diff_versions(_model(model, registry, data_root), before, after))
    )


@models_app.command("rollback")
def models_rollback(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="The one blessed before, if none is named."),
    ] = None,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Bless a version again."""
    from pipeline.runs.models import roll_back, rollback_view

    open_console().print(rollback_view(roll_back(_model(model, registry, data_root), version)))


def _model(model: str | None, registry: str | None, data_root: str) -> "Registry":
    from components.common.storage import open_storage
    from pipeline.runs.models import open_model

    return open_model(open_storage(resolve_registry(registry, data_root)), model)


def _data_root(data_root: str) -> str:
    root = resolve_root(data_root)
    if "://" not in root and not Path(root).is_dir():
        raise UserError(f"--data-root {data_root}: there is no such folder")
    return root


if __name__ == "__main__":
    main()
