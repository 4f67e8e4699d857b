"""The commands for recurring runs: schedule plan, apply, backfill."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.cli.connections import cluster_extra, connected, interruptible, pods_of
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.schedules import Wanted
    from pipeline.schedules.backfill import Filled
    from pipeline.schedules.reconciliation import ScheduleChange
    from pipeline.target import KubeflowTarget

schedule_app = typer.Typer(help="Recurring runs, declared in a file.", no_args_is_help=True)

FileOption = Annotated[
    Path, typer.Option("--file", "-f", metavar="FILE", help="The file of schedules.")
]
_DEFAULT_FILE = Path("schedules.yaml")
_DAY = ["%Y-%m-%d"]


@schedule_app.command("plan")
def schedule_plan(file: FileOption = _DEFAULT_FILE) -> None:
    """Show what `apply` would change on the clusters."""
    for where, wanted, owner in _schedules(file, now=datetime.now(UTC)):
        with connected(where) as cluster:
            from pipeline.schedules.reconciliation import plan, read_existing

            say(f"{cluster.api.host}, namespace {where.namespace}:")
            for change in plan(wanted, read_existing(cluster, owner)):
                _print_change(change)


@schedule_app.command("apply")
def schedule_apply(file: FileOption = _DEFAULT_FILE) -> None:
    """Make the clusters' recurring runs those of the file; touches no others."""
    for where, wanted, owner in _schedules(file, now=datetime.now(UTC)):
        with connected(where) as cluster:
            from pipeline.schedules.reconciliation import apply

            say(f"{cluster.api.host}, namespace {where.namespace}:")
            if not apply(cluster, owner, wanted, _print_change):
                say("  nothing to do")


@schedule_app.command("backfill")
def schedule_backfill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The schedule.")],
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=_DAY, help="The last day.")],
    file: FileOption = _DEFAULT_FILE,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            min=1,
            max=100,
            help="Runs at once. Only one at a time compares well, each with what the days before "
            "it came to: of two that run together the first to publish wins, and the other's model "
            "is not published.",
        ),
    ] = 1,
) -> None:
    """Run a schedule for past days, with the data of each; what is done is passed over."""
    from pipeline.schedules.backfill import backfill

    if last < first:
        raise UserError(f"--to {last:%Y-%m-%d}: lies before --from {first:%Y-%m-%d}")
    for option, day in (("--from", first), ("--to", last)):
        if not 2000 <= day.year or day.date() > datetime.now(UTC).date():
            raise UserError(f"{option} {day:%Y-%m-%d}: give a day from 2000-01-01 to today (UTC)")
    for where, wanted, _ in _schedules(file):
        for want in wanted:
            if want.name != name:
                continue
            with connected(where) as cluster, interruptible(f"`schedule backfill {name}`"):
                filled = backfill(
                    cluster,
                    want,
                    first.date(),
                    last.date(),
                    concurrency=concurrency,
                    report=functools.partial(_show, where),
                )
            failed = sum(one.run.state != "SUCCEEDED" for one in filled)
            raise typer.Exit(ExitCode.STAGE_FAILED if failed else ExitCode.OK)
    raise UserError(f"{name}: {file} has no such schedule")


def _show(where: "KubeflowTarget", one: "Filled") -> None:
    """Prints how one day's run ended: of two that competed for the registry, one lost."""
    from pipeline.kubeflow.cluster_view import show_end
    from pipeline.kubeflow.run_end import read_end

    before = ", run before" if one.was_there else ""
    say(f"{one.moment:%Y-%m-%d %H:%M}, {one.run.name}{before}:")
    show_end(open_console(), one.run, read_end(one.run, pods_of(where, one.run)))


def _schedules(
    file: Path, *, now: datetime | None = None
) -> Iterator[tuple["KubeflowTarget", list["Wanted"], str]]:
    with cluster_extra():
        from pipeline.schedules import load_schedules, resolve
    declared = load_schedules(file)
    for where, wanted in resolve(declared, file.resolve().parent, now=now):
        yield where, wanted, declared.owner


def _print_change(change: "ScheduleChange") -> None:
    say(f"  {change.action:<8} {change.name}: {change.reason}")
