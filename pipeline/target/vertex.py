"""Vertex AI Pipelines as a target."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.target.target import BaseTarget, refuse_workers_beside_training

Bucket = Annotated[str, Field(pattern=r"^gs://[^/]+")]


class VertexTarget(BaseTarget):
    """Vertex AI Pipelines."""

    kind: Literal["vertex"]
    project: str
    location: str
    """Such as `europe-west4`."""
    pipeline_root: Bucket
    data_root: Bucket
    registry: Bucket

    @model_validator(mode="after")
    def _vertex_can_do_it(self) -> Self:
        refuse_workers_beside_training(self)
        for name in ("machine", *self.stages):
            machine = self.machine if name == "machine" else self.machine_of(name)
            if machine.workers > 1:
                raise ValueError(
                    f"{name}.workers: several workers are started through a JobSet, on a target "
                    "of kind kubeflow; on Vertex give one machine several accelerators"
                )
            unknown = [
                key
                for key in ("shared_memory", "timeout_s", "node_selector", "tolerations", "secrets")
                if getattr(machine, key)
            ]
            if unknown:
                raise ValueError(
                    f"{name}: Vertex AI Pipelines has no {', '.join(unknown)} for a task"
                )
        return self
