"""What is known of a run while it goes on: from KFP, and from the run's folder.

Argo packs the state of a workflow's nodes when they pass 1 MB, KFP 2.17 does not unpack it,
and its details of the run stand still from then on, without a word. The tasks' own results
in the run's folder go on. So where these are ahead of KFP for longer than its report takes,
they are what is shown.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from components.common.documents.record import TaskResult
from components.common.errors import DamagedError, UserError
from components.common.run_context import RunContext
from pipeline.kubeflow.cluster_run import ClusterRun, TaskState, in_order
from pipeline.stages import ends_task, task_of

LAG_S = 60.0
"""Within which KFP tells of a task's end: its agent reports every change, but when busy late."""
QUIET_S = 900.0
"""After which it is worth a word that KFP has told nothing new."""

_STILL = (
    "KFP tells no more of the tasks, mostly because their state has outgrown what it can read; "
    "shown from here on is what they leave in the run's folder"
)
_SILENT = (
    "KFP has told nothing new for a while: a long task, or more tasks than it can tell of; the "
    "run's end is told all the same"
)
_STATES = {
    "computed": "SUCCEEDED",
    "cached": "SUCCEEDED",
    "given_up": "SUCCEEDED",
    "failed": "FAILED",
}


class RunWatch:
    """Looks at one run again and again."""

    def __init__(self) -> None:
        self._results: dict[str, TaskResult] = {}
        self._told: tuple[TaskState, ...] | None = None
        self._told_at = 0.0
        self._result_at: float | None = None
        """When a result came that KFP should have told of, and has not yet."""
        self._is_still = False
        self._is_out_of_reach = False

    def look(self, run: ClusterRun) -> ClusterRun:
        """Returns a run with all that is known of its tasks.

        Args:
          run: as KFP tells of it now.
        """
        now, is_first = time.monotonic(), self._told is None
        # Two clocks: since KFP told anything new, and since a task left a result of which KFP has
        # told nothing. Only the second proves that KFP stands still; the first may be a long task.
        if run.tasks != self._told:
            self._told, self._told_at, self._result_at, self._is_still = run.tasks, now, None, False
        new = [name for name in self._read(run.context) if ends_task(name.partition("[")[0])]
        if new and self._result_at is None and not is_first:
            self._result_at = now
        waited = self._result_at is not None and now - self._result_at >= LAG_S
        unfinished = any({"RUNNING", "PENDING"} & {*task.states} for task in run.tasks)
        # Of a cancelled run KFP may never hear how its tasks ended.
        self._is_still |= waited or (run.state in ("SUCCEEDED", "FAILED") and unfinished)
        if self._is_still:
            return dataclasses.replace(run, tasks=self._merged(run.tasks), note=_STILL)
        if not run.is_over and now - self._told_at >= QUIET_S:
            return dataclasses.replace(run, note=_SILENT)
        return run

    def _read(self, context: RunContext) -> Iterator[str]:
        """Reads results that are new, and yields the names of their tasks."""
        if self._is_out_of_reach:
            return
        try:
            storage = context.data()
            for blob in storage.list(f"{context.run_folder()}/tasks/"):
                if blob.name in self._results or not blob.name.endswith(".json"):
                    continue
                with contextlib.suppress(DamagedError):
                    result = TaskResult.parse(storage.read(blob.name))
                    self._results[blob.name] = result
                    yield result.task
        except (UserError, OSError):
            # A bucket was tried for two minutes, and looking for credentials takes seconds.
            self._is_out_of_reach = True

    def _merged(self, told: tuple[TaskState, ...]) -> tuple[TaskState, ...]:
        """Returns the states that KFP told last, with what the folder has of stages instead."""
        states: dict[str, list[str]] = {}
        for result in self._results.values():
            stage = result.task.partition("[")[0]
            states.setdefault(stage, []).append(_STATES[result.status])
        shown = {task_of(stage) for stage in states}
        known = {task.stage: task for task in told if task.stage not in shown}
        known |= {stage: TaskState(stage, tuple(found)) for stage, found in states.items()}
        return in_order(known.values())
