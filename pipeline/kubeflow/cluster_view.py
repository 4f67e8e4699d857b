"""What the person at the terminal sees of runs on a cluster."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from components.common.words.figures import seconds
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.kubeflow.run_end import RunEnd
from pipeline.kubeflow.run_watch import RunWatch
from pipeline.terminal.console import make_table
from pipeline.terminal.exit_codes import ExitCode

_STYLES = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "yellow", "CANCELED": "yellow"}


@contextlib.contextmanager
def open_cluster_view(console: Console) -> Iterator[Callable[[ClusterRun], None]]:
    """Yields what shows a run: live rows, or where there is no terminal a line per change."""
    if not console.is_terminal:
        yield _ClusterLog(console).update
        return
    with Live(console=console, refresh_per_second=2) as live:
        yield lambda run: live.update(_rows(run))


class _ClusterLog:
    """A line for each change of a state, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, str] = {}

    def update(self, run: ClusterRun) -> None:
        now = {task.stage: task.describe() for task in run.tasks} | {"run": run.state.lower()}
        if run.note:
            now = {"note": run.note, **now}
        for name, state in now.items():
            if self._shown.get(name) != state:
                line = f"{time.strftime('%H:%M:%S')} {name}: {state}"
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._shown |= now
        self._console.file.flush()


def show_run(console: Console, run: ClusterRun) -> None:
    """Prints a run's tasks and where to look further."""
    console.print(_rows(RunWatch().look(run)))
    console.print(f"started {run.created:%Y-%m-%d %H:%M} UTC", highlight=False)
    if run.error:
        console.print(Text(run.error))
    console.print(Text(f"run folder: {run.context.data_root}/{run.context.run_folder()}"))
    console.print(Text(run.link))


def show_end(console: Console, run: ClusterRun, end: RunEnd) -> None:
    """Prints how a run ended."""
    console.print(Text.assemble((_title(run, end), "bold"), f": {end.message}"))
    if end.unread:
        console.print(Text(f"not read from here: {end.unread}"))
    console.print(Text(run.link))


def _title(run: ClusterRun, end: RunEnd) -> str:
    is_judged = end.code in (ExitCode.OK, ExitCode.NOT_BLESSED)
    if is_judged and end.outcome is not None and end.outcome.verdict is not None:
        return end.outcome.verdict.replace("_", " ")
    return "canceled" if end.code is ExitCode.INTERRUPTED else run.state.lower()


def runs_table(runs: Sequence[ClusterRun]) -> Table:
    table = make_table("run", "recipe", "started (UTC)", "state", "KFP's id")
    for run in runs:
        table.add_row(
            run.name,
            run.context.recipe_name,
            f"{run.created:%Y-%m-%d %H:%M}",
            _state(run.state),
            run.kfp_id,
        )
    return table


def _rows(run: ClusterRun) -> RenderableType:
    took = ((run.finished or datetime.now(UTC)) - run.created).total_seconds()
    title = Text.assemble(
        (f"{run.context.recipe_name}  {run.name}", "bold"),
        "  ",
        _state(run.state),
        f"  {seconds(max(0.0, took))}",
    )
    table = make_table("", "", wraps=("",))
    for task in run.tasks:
        only = task.states[0] if len(set(task.states)) == 1 else ""
        table.add_row(task.stage, Text(task.describe(), style=_STYLES.get(only, "")))
    return Group(title, table, *([Text(run.note)] if run.note else []))


def _state(state: str) -> Text:
    return Text(state.lower(), style=_STYLES.get(state, ""))
