"""Runs on Kubeflow Pipelines: upload, submit, follow, look at, cancel.

A pipeline version is named by its DAG's digest, an experiment by its recipe, a run by its
run id. Each is looked up before it is made, and again where the answer to making it was
lost, so that nothing is made twice however often it is tried, or by how many at once.
"""

import contextlib
import dataclasses
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import kfp_server_api as kfp_api
from pydantic import ValidationError

from components.common.documents import OUTCOME_IN_LOG, Outcome, TaskResult
from components.common.errors import DamagedError, UserError
from components.common.run_context import RunContext
from pipeline.compile import WORKFLOW_ID, CompiledDag, run_parameters
from pipeline.connection import Api, ConflictError, MissingError, UnansweredError
from pipeline.exit_codes import ExitCode
from pipeline.recipe import Recipe
from pipeline.target import KubeflowTarget, StageName

T = TypeVar("T")

State = Literal[
    "PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"
]
FINAL_STATES: tuple[State, ...] = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
WAITS_S = (0.2, 1.0, 3.0)
"""Before a write is tried again whose answer was lost."""
_PATIENCE_S = 600.0  # How long a run is followed through a server that does not answer.


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
    """A run as the server tells of it."""

    kfp_id: str
    name: str
    state: str
    created: datetime
    finished: datetime | None
    context: RunContext
    tasks: tuple[TaskState, ...]
    error: str
    link: str

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES


class Cluster:
    """Litesmith's view of one Kubeflow Pipelines."""

    def __init__(self, api: Api, target: KubeflowTarget) -> None:
        self.api = api
        self.target = target
        self._client = api.client

    # --- submitting -----------------------------------------------------------------

    def submit(self, recipe: Recipe, context: RunContext, dag: CompiledDag) -> ClusterRun:
        """Starts a run, having uploaded its DAG if it is new.

        Args:
          recipe: with locations as the tasks find them.
          context: names the run; a run of that id that is there already is taken for it.
          dag: of the recipe's shape, compiled for this target.

        Raises:
          UserError: the server refused; says why and what to do.
        """
        version = self.ensure_version(dag)
        experiment_id = self.ensure_experiment(recipe.name)
        body = kfp_api.V2beta1Run(
            display_name=context.run_id,
            experiment_id=experiment_id,
            pipeline_version_reference=reference(version),
            runtime_config=kfp_api.V2beta1RuntimeConfig(
                parameters=run_parameters(recipe, context), pipeline_root=self.target.pipeline_root
            ),
            service_account=self.target.service_account,
        )
        runs = self._client.runs
        run = once(
            lambda: self.api.named(
                runs.run_service_list_runs, "runs", context.run_id, experiment_id=experiment_id
            ),
            lambda: self.api.call(
                runs.run_service_create_run, run=body, experiment_id=experiment_id
            ),
        )
        return self._view(self._only(run, context.run_id, experiment_id))

    def _only(self, run: Any, name: str, experiment_id: str) -> Any:
        """Returns the first run of a name; ends one's own where somebody else was quicker."""
        runs = self._client.runs
        first = self.api.named(
            runs.run_service_list_runs, "runs", name, experiment_id=experiment_id
        )
        if first is None or first.run_id == run.run_id:
            return run
        self.api.call(runs.run_service_terminate_run, run_id=run.run_id)
        return first

    def ensure_version(self, dag: CompiledDag) -> Any:
        """Returns the pipeline version of a DAG, uploaded once."""
        pipelines, uploads = self._client.pipelines, self._client.pipeline_uploads
        body = kfp_api.V2beta1Pipeline(display_name=dag.name, namespace=self.api.namespace)
        pipeline = once(
            lambda: self._find_pipeline(dag.name),
            lambda: self.api.call(pipelines.pipeline_service_create_pipeline, pipeline=body),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{dag.version_name}.yaml")
            path.write_text(dag.yaml, encoding="utf-8")
            return once(
                lambda: self.api.named(
                    pipelines.pipeline_service_list_pipeline_versions,
                    "pipeline_versions",
                    dag.version_name,
                    pipeline_id=pipeline.pipeline_id,
                ),
                lambda: self.api.call(
                    uploads.upload_pipeline_version,
                    str(path),
                    name=dag.version_name,
                    pipelineid=pipeline.pipeline_id,
                ),
            )

    def ensure_experiment(self, name: str) -> str:
        """Returns the id of the experiment of a name, created if need be."""
        experiments = self._client.experiments
        body = kfp_api.V2beta1Experiment(display_name=name, namespace=self.api.namespace)
        experiment = once(
            lambda: self._find_experiment(name),
            lambda: self.api.call(
                experiments.experiment_service_create_experiment, experiment=body
            ),
        )
        return str(experiment.experiment_id)

    def _find_pipeline(self, name: str) -> Any:
        operation = self._client.pipelines.pipeline_service_list_pipelines
        return self.api.named(operation, "pipelines", name, namespace=self.api.namespace)

    def _find_experiment(self, name: str) -> Any:
        operation = self._client.experiments.experiment_service_list_experiments
        return self.api.named(operation, "experiments", name, namespace=self.api.namespace)

    # --- looking at runs ------------------------------------------------------------

    def runs(self, *, recipe: str | None = None) -> Iterator[ClusterRun]:
        """Yields litesmith's runs, the latest first."""
        experiment_id = None
        if recipe is not None:
            experiment = self._find_experiment(recipe)
            if experiment is None:
                return
            experiment_id = experiment.experiment_id
        for run in self.api.pages(
            self._client.runs.run_service_list_runs,
            "runs",
            namespace=self.api.namespace if experiment_id is None else None,
            experiment_id=experiment_id,
            sort_by="created_at desc",
        ):
            with contextlib.suppress(_ForeignRunError):
                yield self._view(run)

    def find(self, run_id: str) -> ClusterRun:
        """Finds a run by its run id or by KFP's own.

        Raises:
          UserError: there is none.
        """
        operation = self._client.runs.run_service_list_runs
        named = self.api.named(operation, "runs", run_id, namespace=self.api.namespace)
        if named is not None:
            return self.get(named.run_id)
        try:
            return self.get(run_id)
        except MissingError as error:
            raise UserError(
                f"{run_id}: there is no such run on {self.api.host}; see `litesmith runs list "
                "--target ...`"
            ) from error

    def get(self, kfp_id: str) -> ClusterRun:
        """Returns a run by KFP's id."""
        try:
            return self._view(self.api.call(self._client.runs.run_service_get_run, run_id=kfp_id))
        except _ForeignRunError as error:
            raise UserError(f"{kfp_id}: is no run of litesmith") from error

    def follow(
        self, kfp_id: str, show: Callable[[ClusterRun], None], *, poll_s: float = 5.0
    ) -> ClusterRun:
        """Waits for a run's end, through a server that fails for a while.

        Args:
          kfp_id: KFP's id of the run.
          show: called with what the server tells, each time.
          poll_s: seconds between two questions.

        Returns:
          The run, which is over.
        """
        while True:
            run = self.get_patiently(kfp_id)
            show(run)
            if run.is_over:
                return run
            time.sleep(poll_s)

    def get_patiently(self, kfp_id: str) -> ClusterRun:
        """Returns a run by KFP's id, through a server that fails for a while."""
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self.get(kfp_id)
            except UnansweredError:
                if time.monotonic() > give_up:
                    raise
            time.sleep(WAITS_S[-1])

    def cancel(self, run: ClusterRun) -> None:
        """Ends a run that is not over.

        Raises:
          UserError: it is over.
        """
        if run.is_over:
            raise UserError(
                f"{run.name}: is over ({run.state.lower()}); there is nothing to cancel"
            )
        self.api.call(self._client.runs.run_service_terminate_run, run_id=run.kfp_id)

    def _view(self, run: Any) -> ClusterRun:
        details = run.run_details.task_details if run.run_details else None
        state = _state(run)
        return ClusterRun(
            kfp_id=run.run_id,
            name=run.display_name,
            state=state,
            created=run.created_at,
            finished=run.finished_at if state in FINAL_STATES else None,
            context=_context(run),
            tasks=_tasks(details or (), over=state in FINAL_STATES),
            error=run.error.message if run.error and run.error.message else "",
            link=self.api.ui_link(f"runs/details/{run.run_id}"),
        )


@dataclasses.dataclass(frozen=True)
class RunEnd:
    """How a run ended, from its folder, or from the server where that can't be reached."""

    code: ExitCode
    message: str
    outcome: Outcome | None
    failed: TaskResult | None


def read_end(run: ClusterRun, notify_logs: Callable[[], Iterable[str]] = tuple) -> RunEnd:
    """Finds out how a run ended.

    Args:
      run: a run that is over.
      notify_logs: returns what notify printed; asked where the run's folder can't be read
        from here, as on a volume of the cluster.
    """
    try:
        storage = run.context.data()
        folder = run.context.run_folder()
        outcome = Outcome.parse(storage.read(f"{folder}/{Outcome.file_name}"))
    except FileNotFoundError:
        return _end_without_folder(
            run, notify_logs(), f"{run.context.data_root} holds no outcome of it, seen from here"
        )
    except (UserError, OSError) as error:
        return _end_without_folder(run, notify_logs(), str(error))
    failed = None
    if outcome.failed_task is not None:
        with contextlib.suppress(FileNotFoundError, DamagedError):
            name = f"{folder}/tasks/{outcome.failed_task}.json"
            failed = TaskResult.parse(storage.read(name))
    return _end_by_outcome(run, outcome, failed)


def _end_without_folder(run: ClusterRun, logs: Iterable[str], reason: str) -> RunEnd:
    lines = (line for log in logs for line in log.splitlines())
    told = [line for line in lines if line.startswith(OUTCOME_IN_LOG)]
    if not told:
        return _end_by_state(run, reason)
    try:
        outcome = Outcome.parse(told[-1].removeprefix(OUTCOME_IN_LOG).encode())
    except DamagedError:
        return _end_by_state(run, reason)
    return _end_by_outcome(run, outcome, failed=None)


def _end_by_outcome(run: ClusterRun, outcome: Outcome, failed: TaskResult | None) -> RunEnd:
    if outcome.verdict is not None and run.state == "SUCCEEDED":
        blessed = outcome.verdict != "not_blessed"
        code = ExitCode.OK if blessed else ExitCode.NOT_BLESSED
        return RunEnd(code, outcome.message, outcome, None)
    code = ExitCode.BAD_INPUT if failed and failed.user_error else _code(run.state)
    return RunEnd(code, failed.message if failed else outcome.message, outcome, failed)


def _end_by_state(run: ClusterRun, reason: str) -> RunEnd:
    message = f"the run {run.state.lower()}; its verdict can't be read: {reason}"
    failed = [task.stage for task in run.tasks if "FAILED" in task.states]
    if run.state == "FAILED" and failed:
        message = f"{', '.join(failed)} failed; {message}"
    return RunEnd(_code(run.state), message, None, None)


def _code(state: str) -> ExitCode:
    codes = {"SUCCEEDED": ExitCode.OK, "CANCELED": ExitCode.INTERRUPTED}
    return codes.get(state, ExitCode.STAGE_FAILED)


def new_run_id() -> str:
    """Returns a run id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def reference(version: Any) -> Any:
    """Returns the reference to a pipeline version that runs and schedules hold."""
    return kfp_api.V2beta1PipelineVersionReference(
        pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
    )


def once(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """Creates what is not there yet, exactly once where its name is unique.

    Args:
      find: looks for it.
      create: makes it.

    Returns:
      What was found or made: somebody else's who was quicker, or one's own of which the
      answer was lost.
    """
    for wait_s in (*WAITS_S, None):
        found = find()
        if found is not None:
            return found
        try:
            return create()
        except (ConflictError, UnansweredError) as error:
            if wait_s is None:
                if isinstance(error, ConflictError):
                    raise UserError(f"is taken already, but can't be found: {error}") from error
                raise
            time.sleep(wait_s)
    raise AssertionError  # The loop returns or raises.


class _ForeignRunError(Exception):
    """A run that litesmith did not start."""


def _context(run: Any) -> RunContext:
    """Returns a run's context; one of a schedule names the run by a placeholder."""
    parameters = run.runtime_config.parameters if run.runtime_config else None
    try:
        text = str((parameters or {})["context"]).replace(WORKFLOW_ID, run.run_id)
        return RunContext.model_validate_json(text)
    except (KeyError, ValidationError) as error:
        raise _ForeignRunError from error


def _state(run: Any) -> str:
    """Returns a run's state; KFP 2.17 ends a cancelled one as failed."""
    history = {status.state for status in run.state_history or ()}
    if run.state == "FAILED" and "CANCELING" in history:
        return "CANCELED"
    return run.state or "PENDING"


_ORDER: Sequence[str] = get_args(StageName)


def _tasks(details: Sequence[Any], *, over: bool) -> tuple[TaskState, ...]:
    """Groups the server's nodes by stage; drivers, loops and single attempts are among them.

    A node has the state of Argo's; for one that Argo leaves out, after a failure, KFP has no
    word.
    """
    unknown = "SKIPPED" if over else "PENDING"
    states: dict[str, list[str]] = {}
    for detail in details:
        if detail.display_name in _ORDER:
            known = detail.state in get_args(State)
            states.setdefault(detail.display_name, []).append(detail.state if known else unknown)
    return tuple(TaskState(stage, tuple(states[stage])) for stage in _ORDER if stage in states)
