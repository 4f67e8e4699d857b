"""Runs on Vertex AI Pipelines, with the optional google-cloud-aiplatform."""

from pathlib import Path
from typing import Any

from components.common.errors import UserError
from components.common.run_context import RunContext
from pipeline.dag.compile import compile_dag
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.recipe import Recipe
from pipeline.recipe.parameters import run_parameters
from pipeline.runs.leftovers import scratch_folder
from pipeline.target import VertexTarget

_STATES = {
    "PIPELINE_STATE_SUCCEEDED": "SUCCEEDED",
    "PIPELINE_STATE_FAILED": "FAILED",
    "PIPELINE_STATE_CANCELLED": "CANCELED",
    "PIPELINE_STATE_CANCELLING": "CANCELING",
    "PIPELINE_STATE_RUNNING": "RUNNING",
    "PIPELINE_STATE_PAUSED": "PAUSED",
}


class VertexRun:
    """A run on Vertex AI."""

    def __init__(self, job: Any, context: RunContext, target: VertexTarget) -> None:
        self._job = job
        self._context = context
        self._target = target

    def wait(self) -> ClusterRun:
        """Waits for the run's end, and returns how it looks then."""
        try:
            self._job.wait()
        except RuntimeError:
            pass  # The client raises for a failed run; its state says so.
        return self.look()

    def look(self) -> ClusterRun:
        """Returns how the run looks now."""
        resource = self._job.gca_resource
        where, id_ = self._target.location, resource.name.rsplit("/", 1)[-1]
        return ClusterRun(
            kfp_id=resource.name,
            name=self._context.run_id,
            state=_STATES.get(resource.state.name, "PENDING"),
            created=resource.create_time,
            finished=resource.end_time,
            context=self._context,
            tasks=(),
            error=resource.error.message,
            link=f"https://console.cloud.google.com/vertex-ai/locations/{where}/pipelines/runs/"
            f"{id_}?project={self._target.project}",
        )


def submit_to_vertex(recipe: Recipe, context: RunContext, target: VertexTarget) -> VertexRun:
    """Starts a run on Vertex AI Pipelines.

    Args:
      recipe: with locations as the tasks find them.
      context: names the run.
      target: project, location, images, machines.

    Raises:
      UserError: the optional library is missing, or Google refuses.
    """
    try:
        from google.cloud import aiplatform
    except ImportError as error:
        raise UserError(
            "submitting to Vertex AI needs google-cloud-aiplatform: install "
            "requirements/vertex.lock, as docs/install.md says"
        ) from error
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    dag = compile_dag(
        compressions=recipe.compressions(),
        search_rounds=recipe.search_rounds(),
        target=target,
    )
    with scratch_folder() as folder:
        path = Path(folder, "pipeline.yaml")
        path.write_text(dag.yaml, encoding="utf-8")
        try:
            job = aiplatform.PipelineJob(
                display_name=context.run_id,
                job_id=f"litesmith-{context.run_id}",
                template_path=str(path),
                pipeline_root=target.pipeline_root,
                parameter_values=run_parameters(recipe, context),
                enable_caching=False,
                project=target.project,
                location=target.location,
                labels=dict(target.labels) or None,
            )
            job.submit(service_account=target.service_account)
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise UserError(f"Vertex AI in {target.project}/{target.location}: {error}") from error
    return VertexRun(job, context, target)
