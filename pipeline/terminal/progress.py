"""How far a run is: its tasks, as their events tell.

The driver reads `events.jsonl`, to which every task appends, and keeps one `TaskProgress`
for each task of the DAG, in the DAG's order.
"""

import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pipeline.recipe import Recipe
from pipeline.stages import STAGES

Status = Literal["waiting", "running", "cached", "computed", "given_up", "failed"]


@dataclasses.dataclass
class TaskProgress:
    """One task of the run."""

    name: str
    status: Status = "waiting"
    started: float = 0.0
    """Seconds since the epoch."""
    pid: int | None = None
    """Of the process that does it."""
    seconds: float | None = None
    """How long it took; None before its end."""
    done: int = 0
    total: int | None = None
    unit: str = ""
    note: str = ""
    message: str = ""
    """What went wrong."""
    user_error: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)

    def elapsed(self, now: float) -> float:
        return self.seconds if self.seconds is not None else max(0.0, now - self.started)

    def describe_progress(self) -> str:
        """Says how far it is: `120 of 400 steps, loss 0.31`; empty before the first word."""
        if not self.unit:
            return ""
        amount = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        return f"{amount} {self.unit}" + (f", {self.note}" if self.note else "")

    def apply(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "started":
                self.status, self.started, self.seconds = "running", event["time"], None
                self.pid = event.get("pid")
            case "progress":
                self.done, self.total = event["done"], event["total"]
                self.unit, self.note = event["unit"], event["note"]
            case "warning":
                self.warnings.append(event["message"])
            case "finished":
                self.status, self.seconds = event["status"], event["seconds"]
            case "failed":
                self.status, self.seconds = "failed", event["time"] - self.started
                self.message, self.user_error = event["message"], event["user_error"]


class RunProgress:
    """All tasks of a run."""

    def __init__(self, recipe: Recipe, events: Path) -> None:
        self.tasks = {name: TaskProgress(name) for name in expected_tasks(recipe)}
        # What a search asks for shows as it comes.
        self.candidate_ids = () if recipe.search_rounds() else recipe.candidate_ids()
        self._expected = frozenset(self.tasks)
        self._events = events
        self._offset = 0

    def update(self) -> list[tuple[TaskProgress, str]]:
        """Reads what was appended since; returns each task touched, with the event's kind."""
        touched = []
        for event in self._new_events():
            task = self.tasks.setdefault(event["task"], TaskProgress(event["task"]))
            task.apply(event)
            touched.append((task, event["event"]))
        return touched

    def take_note_of_lost(self, message: str) -> list[tuple[TaskProgress, str]]:
        """Finds running tasks whose process is gone, killed before it could tell.

        Their siblings may go on for hours, and kfp tells of none before all have ended.

        Args:
          message: what such a task is said to have failed of.

        Returns:
          Each task that ended or told something, with the kind of its event.
        """
        gone = [task for task in self.running() if task.pid is not None and not _lives(task.pid)]
        touched = self.update() if gone else []  # It may have told of its end just before.
        for task in gone:
            if task.status == "running":
                task.status, task.message = "failed", message
                task.seconds = task.elapsed(time.time())
                touched.append((task, "failed"))
        return touched

    def worth_a_row(self) -> Iterator[tuple[str, TaskProgress]]:
        """Yields the tasks known from the start, and of others those that run or failed."""
        for name, task in self.tasks.items():
            if name in self._expected or task.status in ("running", "failed"):
                yield name, task

    def failed(self) -> TaskProgress | None:
        return next((task for task in self.tasks.values() if task.status == "failed"), None)

    def running(self) -> list[TaskProgress]:
        return [task for task in self.tasks.values() if task.status == "running"]

    def ended(self) -> list[TaskProgress]:
        """Returns the tasks that did their work, or found it done."""
        return [task for task in self.tasks.values() if task.status in ("computed", "cached")]

    def _new_events(self) -> Iterator[dict[str, Any]]:
        with self._events.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole, newline, _ = data.rpartition(b"\n")  # The last line may still be under way.
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            yield json.loads(line)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def expected_tasks(recipe: Recipe) -> Iterator[str]:
    """Yields the tasks of the DAG in its order, those of the candidates by candidate."""
    for _, stages in itertools.groupby(STAGES, lambda stage: stage.per):
        # Of one candidate, evaluate comes after quantize.
        for tasks in zip(*(recipe.tasks_of(stage) for stage in stages), strict=True):
            yield from tasks
