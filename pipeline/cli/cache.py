"""The commands for the store of finished work: list, prune."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from components.common.words.terminal import say
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    DataRootOption,
    RegistryOption,
    existing_root,
    resolve_registry,
)
from pipeline.terminal.console import open_console

cache_app = typer.Typer(help="The store of finished work.", no_args_is_help=True)

_DAY_S = 86_400.0


@cache_app.command("list")
def cache_list(data_root: DataRootOption = DEFAULT_DATA_ROOT) -> None:
    """List finished work by stage, with size, age and last use."""
    from components.common.storage import open_storage
    from pipeline.runs.cache import list_entries
    from pipeline.terminal.tables import entries_table

    entries = list_entries(open_storage(existing_root(data_root)))
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

    root = existing_root(data_root)
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
