"""Runs on Kubeflow Pipelines: upload, submit, follow, look at, cancel.

A pipeline version is named by its DAG's digest, an experiment by its recipe, a run by its
run id. Each is looked up before it is made, and again where the answer to making it was
lost, so that nothing is made twice however often it is tried, or by how many at once.
"""

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api as kfp_api

from components.common.documents.outcome import Outcome
from components.common.errors import UserError
from components.common.run_context import RunContext
from components.common.runs.outcomes import results_so_far
from components.common.storage import ABSENT, PreconditionError
from pipeline.dag.compile import CompiledDag
from pipeline.kubeflow.cluster_run import ClusterRun, ForeignRunError, parse_run
from pipeline.kubeflow.connection import Api
from pipeline.kubeflow.explanations import ConflictError, MissingError, UnansweredError
from pipeline.kubeflow.run_end import CANCELLED
from pipeline.kubeflow.run_watch import RunWatch
from pipeline.recipe import Recipe
from pipeline.recipe.parameters import run_parameters
from pipeline.runs.leftovers import scratch_folder
from pipeline.target import KubeflowTarget

T = TypeVar("T")

WAITS_S = (0.2, 1.0, 3.0)
"""Before a write is tried again whose answer was lost."""
_PATIENCE_S = 600.0  # How long a run is followed through a server that does not answer.


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
        parameters = run_parameters(recipe, context)
        version = self.ensure_version(dag)
        experiment_id = self.ensure_experiment(recipe.name)
        body = kfp_api.V2beta1Run(
            display_name=context.run_id,
            experiment_id=experiment_id,
            pipeline_version_reference=reference(version),
            runtime_config=kfp_api.V2beta1RuntimeConfig(
                parameters=parameters, pipeline_root=self.target.pipeline_root
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
        # KFP lets several runs have one name, so two callers who looked at the same time may each
        # have started one. All of them keep the oldest.
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
        with scratch_folder() as folder:
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
            with contextlib.suppress(ForeignRunError):
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
        except ForeignRunError as error:
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
        watch, is_cancelled = RunWatch(), False
        while True:
            try:
                run = watch.look(self.get_patiently(kfp_id))
            except MissingError as error:
                raise UserError(
                    f"{kfp_id}: was deleted from {self.api.host} while it was followed; what its "
                    "tasks finished is kept in the store"
                ) from error
            # KFP ends a cancelled run as failed, and keeps the word between only at times.
            is_cancelled |= run.state == "CANCELING"
            if is_cancelled and run.state == "FAILED":
                run = dataclasses.replace(run, state="CANCELED")
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

    def cancel(self, run: ClusterRun) -> bool:
        """Ends a run that is not over.

        Returns:
          Whether it was this call that asked for the end; False where it is coming already.

        Raises:
          UserError: it is over.
        """
        if not run.is_over and run.state != "CANCELING":
            try:
                self.api.call(self._client.runs.run_service_terminate_run, run_id=run.kfp_id)
            except UserError:
                # Somebody was quicker, or the run: the server says that it has no such row.
                latest = self.get(run.kfp_id)
                # Where nothing has moved on, the refusal has another cause, and to ask again is no
                # use.
                if latest.state == run.state:
                    raise
                return self.cancel(latest)
            _leave_word(run)
            return True
        if run.is_over:
            raise UserError(
                f"{run.name}: is over ({run.state.lower()}); there is nothing to cancel"
            )
        return False

    def _view(self, run: Any) -> ClusterRun:
        return parse_run(run, link=self.api.ui_link(f"runs/details/{run.run_id}"))


def _leave_word(run: ClusterRun) -> None:
    """Writes into a run's folder that it was cancelled: notify does not run then.

    Whoever asks later may find the run just failed in KFP. Where notify was quicker, or the
    folder is out of reach, nothing is written.
    """
    with contextlib.suppress(UserError, OSError, ValueError, PreconditionError):
        folder = f"{run.context.run_folder()}/"
        storage = run.context.data()
        # A path that holds nothing of the run may be another place than the cluster's volume.
        if "://" in storage.root or next(iter(storage.list(folder)), None) is not None:
            outcome = Outcome(
                run_id=run.context.run_id,
                state="interrupted",
                verdict=None,
                message=CANCELLED,
                failed_task=None,
                results=results_so_far(run.context),
            )
            data = outcome.to_json().encode() + b"\n"
            storage.write(f"{folder}{Outcome.file_name}", data, if_generation=ABSENT)


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
        # Looked for before every try: a write whose answer was lost may have been carried out, and
        # where the name is taken, what took it is to be found.
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
