"""What the person at the terminal sees of a run: live rows, or plain lines where there is none.

A live view redraws one row per stage and one per candidate; a plain view, for logs and CI
jobs, prints a line when a task starts, ends, and every ten seconds between. Both print what a
task that ended warns of.
"""

import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.common.documents.outcome import CandidateSummary, Outcome
from components.common.words.figures import (
    interval,
    milliseconds,
    or_dash,
    percent,
    seconds,
    size,
)
from pipeline.runs.folders import RunFolder
from pipeline.stages import CANDIDATE_STAGES
from pipeline.terminal.console import make_table
from pipeline.terminal.progress import RunProgress, TaskProgress

_PLAIN_INTERVAL_S = 10.0
_BAR_WIDTH = 24

_MARKS = {
    "waiting": ("·", "dim"),
    "cached": ("✓", "cyan"),
    "computed": ("✓", "green"),
    "given_up": ("–", "dim"),
    "failed": ("✗", "red"),
}


class View(Protocol):
    """Shows the progress of a run while it lasts."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def update(self, touched: Sequence[tuple[TaskProgress, str]]) -> None:
        """Takes note of the tasks that told something, each with the kind of its event."""
        ...


def open_view(console: Console, progress: RunProgress, *, title: str) -> View:
    if console.is_terminal:
        return LiveView(console, progress, title=title)
    return PlainView(console, title=title)


class PlainView:
    """A line per event, for a log."""

    def __init__(self, console: Console, *, title: str) -> None:
        self._console = console
        self._title = title
        self._shown: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._print(self._title)
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def update(self, touched: Sequence[tuple[TaskProgress, str]]) -> None:
        for task, event in touched:
            now = time.monotonic()
            if event == "started":
                self._shown[task.name] = now
                self._print(f"{task.name}: started")
            elif event == "finished":
                self._print(f"{task.name}: {task.status} in {or_dash(task.seconds, seconds)}")
            elif event == "failed":
                self._print(f"{task.name}: failed after {or_dash(task.seconds, seconds)}")
            elif event == "progress" and now - self._shown.get(task.name, 0.0) >= _PLAIN_INTERVAL_S:
                self._shown[task.name] = now
                self._print(f"{task.name}: {task.describe_progress()}")
            for warning in _warnings(task, event):
                self._print(f"{task.name}: warning: {warning}")

    def _print(self, line: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {line}", markup=False, highlight=False)
        self._console.file.flush()


class LiveView:
    """Rows that are redrawn in place."""

    def __init__(self, console: Console, progress: RunProgress, *, title: str) -> None:
        self._console = console
        self._progress = progress
        self._title = title
        self._started = time.time()
        self._spinner = Spinner("dots", style="yellow")
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=8, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def update(self, touched: Sequence[tuple[TaskProgress, str]]) -> None:
        # The rows are drawn from the progress itself, eight times a second; above them goes:
        for task, event in touched:
            for warning in _warnings(task, event):
                self._console.print(Text.assemble(("warning:", "bold yellow"), f" {warning}"))

    def _render(self) -> RenderableType:
        now = time.time()
        title = Text.assemble((self._title, "bold"), ("   " + seconds(now - self._started), "dim"))
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=2)
        rows.add_column()
        rows.add_column(justify="right", min_width=7)
        rows.add_column(overflow="ellipsis", no_wrap=True)
        for name, task in self._rows():
            took = "" if task.status == "waiting" else seconds(task.elapsed(now))
            style = "dim" if task.status == "waiting" else ""
            rows.add_row(self._mark(task), Text(name, style=style), took, _detail(task))
        return Group(title, rows)

    def _mark(self, task: TaskProgress) -> RenderableType:
        if task.status == "running":
            return self._spinner
        symbol, style = _MARKS[task.status]
        return Text(symbol, style=style)

    def _rows(self) -> Iterator[tuple[str, TaskProgress]]:
        """Yields a row per stage, and for a candidate the one of its tasks that tells most."""
        ids = self._progress.candidate_ids
        first, *others = CANDIDATE_STAGES
        candidates = {f"{first}[{id_}]": id_ for id_ in ids}
        hidden = {f"{stage}[{id_}]" for stage in others for id_ in ids}
        for name, task in self._progress.worth_a_row():
            if name in candidates:
                yield self._furthest(candidates[name])
            elif name not in hidden:
                yield name, task

    def _furthest(self, candidate_id: str) -> tuple[str, TaskProgress]:
        """Returns the row of a candidate: its first stage, or the last that has begun."""
        tasks = {
            f"{stage} {candidate_id}": self._progress.tasks[f"{stage}[{candidate_id}]"]
            for stage in CANDIDATE_STAGES
        }
        begun = [row for row in tasks.items() if row[1].status != "waiting"]
        return begun[-1] if begun else next(iter(tasks.items()))


def _warnings(task: TaskProgress, event: str) -> Sequence[str]:
    """Returns what a task warns of, at its end."""
    return task.warnings if event in ("finished", "failed") else ()


def _detail(task: TaskProgress) -> RenderableType:
    if task.status == "running" and task.total:
        bar = Table.grid(padding=(0, 1))
        progress_bar = ProgressBar(total=task.total, completed=task.done, width=_BAR_WIDTH)
        bar.add_row(progress_bar, Text(task.describe_progress()))
        return bar
    if task.status == "running":
        return Text(task.describe_progress())
    if task.status == "failed":
        return Text(task.message.partition("\n")[0], style="red")
    return Text("" if task.status == "waiting" else task.status, style="dim")


def show_summary(console: Console, outcome: Outcome, run: RunFolder) -> None:
    """Prints the final table, the reasons, the verdict and where everything lies.

    The reasons stand below the table: in a column, they would have a word a line on a terminal of
    80 characters.
    """
    figures = ("accuracy", "95 % interval", "size", "zipped", "p50")
    table = make_table("candidate", *figures, "verdict", figures=figures, wraps=("candidate",))
    reasons: dict[str, list[str]] = {}
    for row in outcome.results.candidates:
        won = row.candidate_id == outcome.results.winner
        table.add_row(*_cells(row, won=won), style="green" if won else "")
        reasons.setdefault(row.reason, []).append(row.candidate_id)
    console.print()
    console.print(table)
    console.print()
    for reason, candidates in reasons.items():
        each = ", each" if len(candidates) > 1 else ""
        console.print(Text.assemble((", ".join(candidates), "bold"), f"{each}: {reason}"))
    console.print()
    style = "bold yellow" if outcome.verdict == "not_blessed" else "bold green"
    verdict = (outcome.verdict or "").replace("_", " ")
    console.print(Text.assemble((verdict, style), f": {outcome.message}"))
    show_paths(console, run, model=outcome.model)


def _cells(row: CandidateSummary, *, won: bool) -> Iterator[str]:
    accuracy = row.accuracy
    yield row.candidate_id
    yield percent(accuracy.value) if accuracy else "-"
    yield interval(accuracy.low, accuracy.high) if accuracy else "-"
    yield or_dash(row.size_bytes, size)
    yield or_dash(row.zipped_bytes, size)
    yield or_dash(row.latency_ms, milliseconds)
    yield "winner" if won else "accepted" if row.accepted else "no"


def show_paths(console: Console, run: RunFolder, *, model: str | None = None) -> None:
    curves = shlex.join([_uvx(), "tensorboard", "--logdir", str(run.tensorboard)])
    places = {
        "model": model,
        "report": str(run.report) if run.report.exists() else None,
        "run": str(run.path),
        "logs": str(run.logs),
        "curves": curves if run.tensorboard.exists() else None,
    }
    for name, place in places.items():
        if place is not None:
            console.print(f"{name + ':':8}{place}", markup=False, highlight=False, soft_wrap=True)


def _uvx() -> str:
    """Returns how to call uvx: by name, or where it is not on the PATH as `make` installed it."""
    beside = Path(sys.executable).with_name("uvx")
    return str(beside) if beside.exists() and shutil.which("uvx") is None else "uvx"
