"""A run as Kubeflow Pipelines tells of it.

KFP has a node for each thing that Argo runs: a task `finetune` after its driver
`finetune-driver`, each again with a number in brackets for every attempt, and the groups
around them. Here they become stages with the states of their tasks.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import ValidationError

from components.common.run_context import RunContext
from components.common.runs.outcomes import GROUP
from pipeline.dag.compile import WORKFLOW_ID
from pipeline.stages import TASKS, place_of

KfpState = Literal[
    "PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"
]
FINAL_STATES: tuple[KfpState, ...] = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
DRIVER = "-driver"
"""How KFP ends the name of what prepares a task, or a group of tasks."""
_FURTHER = re.compile(r"-\d+$")  # What KFP puts behind the second task of a component.
_ATTEMPT = re.compile(r"(?P<name>.+)\((?P<number>\d+)\)")


class ForeignRunError(Exception):
    """A run that litesmith did not start."""


@dataclasses.dataclass(frozen=True)
class TaskState:
    """A stage's tasks in a run: one, or one for each candidate."""

    stage: str
    states: tuple[str, ...]

    def describe(self) -> str:
        if len(self.states) == 1:
            return self.states[0].lower()
        counts = {state: self.states.count(state) for state in sorted(set(self.states))}
        return ", ".join(f"{count} {state.lower()}" for state, count in counts.items())


@dataclasses.dataclass(frozen=True)
class ClusterRun:
    """A run as the server tells of it.

    Attributes:
      tasks: of the stages in the DAG's order, and of drivers that failed, by their names.
      began_again: whether Argo ran a driver a second time, or a part of the DAG.
      note: what is to be known of the tasks' states, in a sentence.
    """

    kfp_id: str
    name: str
    state: str
    created: datetime
    finished: datetime | None
    context: RunContext
    tasks: tuple[TaskState, ...]
    error: str
    link: str
    began_again: bool = False
    note: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def failed(self) -> tuple[str, ...]:
        """The stages and drivers that failed."""
        return tuple(task.stage for task in self.tasks if "FAILED" in task.states)


def parse_run(run: Any, *, link: str) -> ClusterRun:
    """Returns a run of kfp's client as litesmith sees it.

    Raises:
      ForeignRunError: litesmith did not start it.
    """
    details = (run.run_details.task_details if run.run_details else None) or ()
    state = _state(run)
    over = state in FINAL_STATES
    return ClusterRun(
        kfp_id=run.run_id,
        name=run.display_name,
        state=state,
        created=run.created_at,
        finished=run.finished_at if over else None,
        context=_context(run),
        tasks=_tasks(details, over=over),
        error=run.error.message if run.error and run.error.message else "",
        link=link,
        began_again=any(map(_is_second_attempt, details)),
    )


def in_order(tasks: Iterable[TaskState]) -> tuple[TaskState, ...]:
    """Returns stages in the DAG's order; what is no stage comes last."""
    return tuple(sorted(tasks, key=lambda task: place_of(task.stage)))


def _context(run: Any) -> RunContext:
    """Returns a run's context; one of a schedule names the run by a placeholder."""
    parameters = run.runtime_config.parameters if run.runtime_config else None
    try:
        text = str((parameters or {})["context"]).replace(WORKFLOW_ID, run.run_id)
        return RunContext.model_validate_json(text)
    except (KeyError, ValidationError) as error:
        raise ForeignRunError from error


def _state(run: Any) -> str:
    """Returns a run's state; KFP 2.17 ends a cancelled one as failed."""
    history = {status.state for status in run.state_history or ()}
    if run.state == "FAILED" and "CANCELING" in history:
        return "CANCELED"
    return run.state or "PENDING"


def _tasks(details: Sequence[Any], *, over: bool) -> tuple[TaskState, ...]:
    """Groups the server's nodes by stage.

    A node has the state of Argo's; for one that Argo leaves out, after a failure, KFP has no
    word.
    """
    unknown = "SKIPPED" if over else "PENDING"
    states: dict[str, list[str]] = {}
    for detail in details:
        name = str(detail.display_name)
        name = stage if (stage := _FURTHER.sub("", name)) in TASKS else name
        state = detail.state if detail.state in get_args(KfpState) else unknown
        if name in TASKS or (name.endswith(DRIVER) and state == "FAILED"):
            states.setdefault(name, []).append(state)
    return in_order(TaskState(name, tuple(found)) for name, found in states.items())


def _is_second_attempt(detail: Any) -> bool:
    """Whether a node is a further attempt at a driver, or at a group, drivers and all."""
    match = _ATTEMPT.fullmatch(str(detail.display_name))
    if match is None or int(match["number"]) == 0:
        return False
    return match["name"].endswith(DRIVER) or GROUP.fullmatch(match["name"]) is not None
