"""A cluster with Kubeflow Pipelines, and how it is reached."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.common.config import Section
from pipeline.stages import TRAINING_STAGES
from pipeline.target.machine import KubernetesName, Variable
from pipeline.target.target import BaseTarget, below, refuse_workers_beside_training

Absolute = Annotated[str, Field(pattern=r"^/")]


class NoAuth(Section):
    """For a host that asks for nothing, such as one behind your own port-forward."""

    kind: Literal["none"]


class TokenAuth(Section):
    """A bearer token that the caller brings."""

    kind: Literal["token"]
    variable: Variable
    """The environment variable that holds it."""


class CommandAuth(Section):
    """A bearer token that a command prints; it is asked again before one would expire."""

    kind: Literal["command"]
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Such as `[gcloud, auth, print-identity-token, --audiences=...]`."""


class ServiceAccountAuth(Section):
    """The token that Kubernetes puts into a pod; it is read anew as it expires."""

    kind: Literal["service_account"]
    file: Absolute = "/var/run/secrets/kubeflow/pipelines/token"


class PortForwardAuth(Section):
    """`kubectl port-forward`, held open by litesmith as long as a command runs."""

    kind: Literal["port_forward"]
    service: KubernetesName = "ml-pipeline"
    service_namespace: KubernetesName = "kubeflow"
    """Where KFP itself runs."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8888
    kube_context: str | None = None


Auth = Annotated[
    NoAuth | TokenAuth | CommandAuth | ServiceAccountAuth | PortForwardAuth,
    Field(discriminator="kind"),
]


class Volume(Section):
    """A PersistentVolumeClaim that every task mounts."""

    claim: KubernetesName
    path: Absolute
    sub_path: str = ""


class KubeflowTarget(BaseTarget):
    """A cluster with Kubeflow Pipelines."""

    kind: Literal["kubeflow"]
    host: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    """KFP's address, with the path before `/apis` where it has one."""
    ui_host: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    """For links; `host` where not stated."""
    namespace: KubernetesName
    """Where runs live."""
    auth: Auth = NoAuth(kind="none")
    ca_file: str | None = None
    """Certificates to trust in place of the public ones; TLS is always verified."""
    volumes: tuple[Volume, ...] = ()
    image_pull_secrets: tuple[KubernetesName, ...] = ()
    run_as_user: Annotated[int, Field(ge=1)] | None = None
    """User and group id in the containers; the image's own, never root, where not stated."""
    queue: KubernetesName | None = None
    """Kueue's LocalQueue, which lets a stage's workers start all at once or not yet."""

    def is_reachable(self, location: str) -> bool:
        mounted = (below(location, volume.path) is not None for volume in self.volumes)
        return super().is_reachable(location) or any(mounted)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.host is None and not isinstance(self.auth, PortForwardAuth):
            raise ValueError("host: give KFP's address, or `auth: {kind: port_forward}`")
        if self.host is not None and isinstance(self.auth, PortForwardAuth):
            raise ValueError("host: a port-forward makes its own address; remove one of the two")
        for name in ("data_root", "registry"):
            if not self.is_reachable(getattr(self, name)):
                raise ValueError(
                    f"{name}: {getattr(self, name)} is neither a gs:// address nor a path on "
                    "one of `volumes`, so what a task writes there would be lost with its pod"
                )
        return self

    @model_validator(mode="after")
    def _can_launch(self) -> Self:
        refuse_workers_beside_training(self)
        stages = [stage for stage in TRAINING_STAGES if self.machine_of(stage).workers > 1]
        if stages and self.service_account is None:
            raise ValueError(
                f"service_account: is required where {stages[0]} has `workers`; it is what the "
                "role in manifests/components/launcher is bound to, such as litesmith-runner"
            )
        for stage in stages:
            if self.machine_of(stage).asks_for_tpu():
                raise ValueError(
                    f"stages.{stage}.workers: on TPUs, training takes the slice of one host, and "
                    "no workers; remove `workers`, or ask for GPUs"
                )
        if self.queue is not None and not stages:
            training = " or ".join(TRAINING_STAGES)
            raise ValueError(f"queue: is for `workers` of {training}, and no stage has any")
        return self
