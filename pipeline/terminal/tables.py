"""Runs and store entries as tables for the terminal."""

import itertools
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.documents.ladder import Ladder
from components.common.documents.record import TaskResult
from components.common.words.figures import age, seconds, size
from pipeline.runs.cache import Entry, Prunable
from pipeline.runs.folders import RunFolder
from pipeline.terminal.console import make_table
from pipeline.terminal.view import show_paths, show_summary

_STATE_STYLES = {
    "running": "yellow",
    "succeeded": "green",
    "failed": "red",
    "interrupted": "yellow",
}

_RUNG_STYLES = {"finalist": "bold green", "held": "green", "lost": "red", "not_tried": "dim"}


def runs_table(runs: Sequence[RunFolder]) -> Table:
    table = make_table("run", "recipe", "started", "state", "verdict")
    for run in runs:
        description, outcome, state = run.describe(), run.outcome(), run.state()
        verdict = outcome.verdict if outcome is not None else None
        started = datetime.fromisoformat(description.started).astimezone()
        table.add_row(
            run.run_id,
            description.context.recipe_name,
            f"{started:%Y-%m-%d %H:%M}",
            Text(state, style=_STATE_STYLES[state]),
            (verdict or "").replace("_", " "),
        )
    return table


def show_run(console: Console, run: RunFolder) -> None:
    """Prints a run's tasks and how it ended."""
    description, state = run.describe(), run.state()
    print_ = console.print
    print_(Text.assemble((f"{description.context.recipe_name}  {run.run_id}", "bold")))
    print_(Text.assemble("state: ", (state, _STATE_STYLES[state])))
    print_(Text(f"command: {shlex.join(description.command)}"), soft_wrap=True)
    table = make_table(
        "task",
        "status",
        "time",
        "computed in",
        "peak memory",
        figures=("time", "computed in", "peak memory"),
    )
    tasks = run.tasks()
    for task in tasks:
        record = task.record
        table.add_row(
            Text(task.task),
            task.status,
            seconds(task.seconds),
            seconds(record.seconds) if record else "-",
            size(record.peak_memory_bytes) if record else "-",
        )
    print_(table)
    for line in (*_misses(tasks), *_other_versions(tasks)):
        print_(Text(line))
    if (search := run.search()) is not None:
        print_(search_table(search))
    outcome = run.outcome()
    if outcome is not None and outcome.verdict is not None:
        show_summary(console, outcome, run)
    else:
        if outcome is not None:
            print_(Text(outcome.message))
        show_paths(console, run)


def search_table(search: Ladder) -> Table:
    """Returns a row for each step of the ladder, and the search's notes below."""
    table = make_table("search", "", wraps=("",))
    for verdict in search.verdicts:
        state = Text(verdict.state.replace("_", " "), style=_RUNG_STYLES[verdict.state])
        table.add_row(state, Text(verdict.sentence))
    for note in search.notes:
        table.add_row("", Text(note))
    return table


def _misses(tasks: Iterable[TaskResult]) -> Iterator[str]:
    """Says what was computed anew since the run before of the same recipe, and why."""
    reasons: dict[str, list[str]] = {}
    for task in tasks:
        if task.reason:
            reasons.setdefault(task.reason, []).append(task.task)
    for reason, names in reasons.items():
        yield f"{', '.join(names)}: computed anew: {reason}"


def _other_versions(tasks: Iterable[TaskResult]) -> Iterator[str]:
    """Says which answers from the store other versions of libraries had made."""
    differences = [
        (f"{name} {task.record.libraries[name]}, this is {version}", task.task)
        for task in tasks
        if task.record is not None
        for name, version in task.other_libraries.items()
    ]
    for difference, pairs in itertools.groupby(sorted(differences), key=lambda pair: pair[0]):
        yield f"made by {difference}: {', '.join(task for _, task in pairs)}"
    if differences:
        yield "`litesmith run --fresh` computes everything anew"


def entries_table(entries: Sequence[Entry]) -> Table:
    """Returns a row per entry, and one for each stage's total."""
    table = make_table(
        "stage", "key", "size", "age", "last used", figures=("size", "age", "last used")
    )
    now = time.time()
    for stage, group in itertools.groupby(entries, key=lambda entry: entry.stage):
        members = list(group)
        total = sum(entry.size_bytes for entry in members)
        count = "1 entry" if len(members) == 1 else f"{len(members)} entries"
        table.add_row(stage, count, size(total), style="bold")
        for entry in members:
            made = age(now - entry.made) if entry.made is not None else "unfinished"
            used = age(now - entry.used) if entry.used is not None else "-"
            table.add_row("", entry.key[:12], size(entry.size_bytes), made, used)
    return table


def describe_pruned(pruned: Prunable, *, left_by_killed: int, dry_run: bool) -> str:
    would = "would remove" if dry_run else "removed"
    return (
        f"{would} {len(pruned.entries)} entries, {len(pruned.shards)} folders of shards and "
        f"{len(pruned.unfinished)} of unfinished work: {size(pruned.size_bytes)}; "
        f"and what killed commands had left: {size(left_by_killed)}"
    )
