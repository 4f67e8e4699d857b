"""The commands that look at runs, here or on a cluster, and end them: list, show, logs, cancel."""

import itertools
import os
from typing import Annotated

import typer

from components.common.words.terminal import say
from pipeline.cli.connections import connected, kubeflow_target, pods_of
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    DataRootOption,
    OptionalTargetOption,
    TargetOption,
    existing_root,
)
from pipeline.terminal.console import open_console

runs_app = typer.Typer(help="Look at runs, here or on a cluster.", no_args_is_help=True)

_LATEST = 20  # Runs of a cluster, which may hold thousands.

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or the one that KFP gave it.")
]


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

    root = existing_root(data_root)
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

    show_run(open_console(), find_run(local_folder(existing_root(data_root)), run_id))


@runs_app.command("logs")
def runs_logs(
    run_id: RunArgument,
    target: TargetOption,
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="Such as finetune; else all.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="With what KFP and Argo print in the same pods.")
    ] = False,
) -> None:
    """Print what the tasks of a run on a cluster have printed, and failed drivers of theirs."""
    where = kubeflow_target(target)
    with connected(where) as cluster:
        run = cluster.find(run_id)
    from pipeline.kubeflow.pods import own_lines, read_logs

    for log in read_logs(where, run.kfp_id, stage, os.environ):
        say(f"=== {log.stage} ({log.pod}, {log.phase.lower()})")
        say(log.text if all_ else own_lines(log.text))


@runs_app.command("cancel")
def runs_cancel(run_id: RunArgument, target: TargetOption) -> None:
    """End a run on a cluster."""
    with connected(kubeflow_target(target)) as cluster:
        run = cluster.find(run_id)
        is_new = cluster.cancel(run)
    word = "is being cancelled" if is_new else "is being cancelled already"
    say(f"{run.name}: {word}; finished stages are kept in the store")


def list_cluster_runs(target: str) -> None:
    """Prints a cluster's latest runs."""
    with connected(kubeflow_target(target)) as cluster:
        from pipeline.kubeflow.cluster_view import runs_table

        runs = list(itertools.islice(cluster.runs(), _LATEST))
        if not runs:
            say(f"no run on {cluster.api.host} yet; start one with `litesmith submit`")
            return
        open_console().print(runs_table(runs))


def show_cluster_run(target: str, run_id: str) -> None:
    """Prints a run of a cluster: its tasks, and how it ended."""
    with connected(kubeflow_target(target)) as cluster:
        from pipeline.kubeflow.cluster_view import show_end, show_run
        from pipeline.kubeflow.run_end import read_end

        latest = None if run_id else next(cluster.runs(), None)
        run = cluster.get(latest.kfp_id) if latest is not None else cluster.find(run_id)
        show_run(open_console(), run)
        if run.is_over:
            show_end(open_console(), run, read_end(run, pods_of(cluster.target, run)))
