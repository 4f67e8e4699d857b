"""Target: where a run is computed, typed and validated, from one YAML file per environment.

A recipe says what is computed and bears identity; a target never does. Another cluster,
image, machine or bucket leaves every stage's configuration and key as it was: the target
shapes the compiled DAG, and what tasks must know of it travels in the RunContext.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from components.common.config import Section
from components.common.errors import UserError
from components.common.run_context import RunContext
from components.common.workers.worker import DEVICES
from pipeline.declarations.placeholders import refuse_placeholders
from pipeline.declarations.refusals import explain_problems
from pipeline.declarations.yaml_files import read_yaml
from pipeline.recipe import LOCATIONS, WORDS_FOR_WEIGHTS, Recipe

StageName = Literal[
    "preprocess",
    "validate",
    "finetune",
    "prune",
    "candidate",
    "benchmark",
    "gate",
    "report",
    "publish",
    "notify",
]
"""The tasks of the DAG; each is a stage, but for `candidate`, which is two."""
TRAINING_STAGES: tuple[StageName, ...] = ("finetune", "prune")
COMPOSED: Mapping[str, StageName] = {"quantize": "candidate", "evaluate": "candidate"}
"""Stages that have no task of their own -> the task that they run in."""


def _is_a_task(stage: str) -> str:
    if stage in COMPOSED:
        raise ValueError(f"{stage} runs in the task {COMPOSED[stage]}; give that one the machine")
    return stage


TaskName = Annotated[StageName, BeforeValidator(_is_a_task)]

Cpu = Annotated[str, Field(pattern=r"^\d+(\.\d+|m)?$")]
Bytes = Annotated[str, Field(pattern=r"^\d+(\.\d+)?([KMGTPE]i?)?$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Absolute = Annotated[str, Field(pattern=r"^/")]
Bucket = Annotated[str, Field(pattern=r"^gs://[^/]+")]
KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class Accelerator(Section):
    type: str
    """A Kubernetes resource such as `nvidia.com/gpu`; on Vertex `NVIDIA_L4` and its like."""
    count: Annotated[int, Field(ge=1, le=16)] = 1


class Retries(Section):
    """How often a failed task is tried again."""

    count: Annotated[int, Field(ge=0, le=10)] = 2
    backoff_s: Annotated[int, Field(ge=0, le=3600)] = 5
    """Before the first retry. Argo waits so long after every failure, also where it then finds
    that its policy does not retry it, and the run learns of the failure that much later. What
    a stock installation does retry, a pod that was deleted, waits for a node of its own accord."""
    factor: Annotated[int, Field(ge=1, le=10)] = 2
    """By which each further wait is longer; Argo takes whole numbers only."""


class Toleration(Section):
    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class SecretKey(Section):
    name: KubernetesName
    """Of the Kubernetes secret."""
    key: str


class Machine(Section):
    """What a task runs on."""

    cpu: Cpu = "1"
    """Requested cores: `2`, `1.5` or `500m`."""
    cpu_limit: Cpu | None = None
    """As requested, where not stated."""
    memory: Bytes = "2Gi"
    memory_limit: Bytes | None = None
    """As requested, where not stated."""
    accelerator: Accelerator | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Pods that train one model together, each with all of the above; finetune and prune
    alone, on Kubernetes with JobSet."""
    shared_memory: Bytes | None = None
    """Size of /dev/shm, which counts as memory; Kubernetes gives 64 MiB where not stated."""
    timeout_s: Annotated[int, Field(ge=60)] | None = None
    """For each attempt."""
    retries: Retries = Retries()
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    environment: Mapping[Variable, str] = {}
    secrets: Mapping[Variable, SecretKey] = {}
    """Environment variable -> the secret's key that it is filled from."""

    def with_changes(self, changes: "Machine") -> "Machine":
        """Returns this machine with what another states; mappings are merged."""
        update: dict[str, Any] = {}
        for name in changes.model_fields_set:
            value = getattr(changes, name)
            if isinstance(value, Mapping):
                value = {**getattr(self, name), **value}
            update[name] = value
        return self.model_copy(update=update)

    def asks_for_tpu(self) -> bool:
        resource = self.accelerator.type if self.accelerator is not None else ""
        return "tpu" in resource.lower() or self.environment.get(DEVICES) == "tpu"


class Images(Section):
    """The container image of each dependency set, best pinned by digest."""

    beam: str
    train: str
    lite: str


class Beam(Section):
    """Who makes the shards: a runner's workers, or else the processes of preprocess's own pod."""

    runner: Literal["FlinkRunner", "SparkRunner", "DataflowRunner"] | None = None
    options: tuple[Annotated[str, Field(pattern=r"^--")], ...] = ()
    """Further pipeline options, such as `--parallelism=8`."""

    @model_validator(mode="after")
    def _options_have_a_runner(self) -> Self:
        if self.options and self.runner is None:
            raise ValueError("options: are a runner's; name it, as in `runner: FlinkRunner`")
        return self

    def arguments(self) -> tuple[str, ...]:
        return () if self.runner is None else (f"--runner={self.runner}", *self.options)


class BaseTarget(Section):
    """What all kinds of targets state."""

    images: Images
    pipeline_root: str | None = None
    """Where KFP keeps artifacts; the server's default where not stated."""
    data_root: str
    """Holds store, shards and runs: gs://, or a path on a mounted volume."""
    registry: str
    """Holds the published models: likewise."""
    service_account: str | None = None
    """As which tasks run."""
    machine: Machine = Machine()
    """What every stage runs on."""
    stages: Mapping[TaskName, Machine] = {}
    """What single stages have different."""
    beam: Beam = Beam()
    labels: Mapping[str, str] = {}
    """Put on every pod, or on the Vertex job."""
    paths: Mapping[str, str] = {}
    """Path that a recipe may state -> where the cluster finds the same: prefixes, the
    longest first. A relative path starts at the target's own file."""

    def machine_of(self, stage: str) -> Machine:
        own = self.stages.get(stage)  # type: ignore[call-overload]
        return self.machine if own is None else self.machine.with_changes(own)

    def image_of(self, base_image: str) -> str:
        """Returns the image for a component's base image, `litesmith-train` and its like."""
        return str(getattr(self.images, base_image.removeprefix("litesmith-")))

    def is_reachable(self, location: str) -> bool:
        """Whether tasks can read a location as it stands."""
        return location.startswith("gs://")

    def context(self, run_id: str, recipe: Recipe, **window: Any) -> RunContext:
        """Returns the context of a run here.

        Args:
          run_id: names the run.
          recipe: what is run.
          window: the RunContext's window fields, where the run sees a window of the data.
        """
        return RunContext(
            run_id=run_id,
            recipe_name=recipe.name,
            data_root=self.data_root,
            registry=self.registry,
            beam_options=self.beam.arguments(),
            **window,
        )

    def located(self, recipe: Recipe) -> Recipe:
        """Returns the recipe with every location as the tasks will find it.

        Only locations change, and they bear no identity: the content behind them does.

        Raises:
          UserError: a location exists on this machine alone.
        """
        sections: dict[str, Section] = {}
        for section, key in LOCATIONS:
            config = sections.get(section, getattr(recipe, section))
            location = getattr(config, key)
            if location is not None and location not in WORDS_FOR_WEIGHTS:
                mapped = self._located(f"{section}.{key}", location)
                sections[section] = config.model_copy(update={key: mapped})
        return recipe.model_copy(update=sections)

    def _located(self, key: str, location: str) -> str:
        if self.is_reachable(location):
            return location
        for prefix in sorted(self.paths, key=len, reverse=True):
            rest = _below(location, prefix)
            if rest is not None:
                return f"{self.paths[prefix].rstrip('/')}/{rest}".rstrip("/")
        raise UserError(
            f"{key}: {location} is a path of this machine, which the target's tasks can't "
            "reach; copy the data to a bucket or a mounted volume and give that address, or "
            f"map the path in the target, such as `paths: {{{location}: gs://BUCKET/FOLDER}}`"
        )


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
        mounted = (_below(location, volume.path) is not None for volume in self.volumes)
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
        _only_training_has_workers(self)
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
            raise ValueError("queue: is for `workers` of finetune or prune, and no stage has any")
        return self


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
        _only_training_has_workers(self)
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


def _only_training_has_workers(target: BaseTarget) -> None:
    others = [name for name in target.stages if name not in TRAINING_STAGES]
    wrong = next((name for name in others if target.stages[name].workers > 1), None)
    if target.machine.workers > 1:
        raise ValueError("machine.workers: belongs to a stage: `stages: {finetune: {workers: 4}}`")
    if wrong is not None:
        raise ValueError(
            f"stages.{wrong}.workers: {wrong} runs in one pod; finetune and prune take workers"
        )


def task_of(stage: str) -> str:
    """Returns the DAG's task in which a stage runs, by name."""
    return COMPOSED.get(stage, stage)


Target = KubeflowTarget | VertexTarget
_REACH_TASKS = {"data_root", "registry", "pipeline_root", "beam", "paths"}
"""What tasks are given as text: the run context, and a recipe's locations."""
_ADAPTER: TypeAdapter[Target] = TypeAdapter(Annotated[Target, Field(discriminator="kind")])


def load_target(name_or_path: str) -> Target:
    """Reads and validates a target.

    Args:
      name_or_path: a YAML file, or the name of one in the folder `targets`.

    Returns:
      The target, with absolute paths.

    Raises:
      UserError: there is no such file, or a key or value is refused; names each.
    """
    path = _target_path(name_or_path)
    try:
        target = _ADAPTER.validate_json(json.dumps(read_yaml(path)))
    except ValidationError as error:
        lines = explain_problems(error, Target)
        raise UserError(f"{path}: the target is refused\n{lines}") from error
    refuse_placeholders(target.model_dump(include=_REACH_TASKS), source=str(path))
    return _absolute(target, path.parent.resolve())


def target_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a target file."""
    return _ADAPTER.json_schema()


def _target_path(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    examples = "docs/targets has examples to copy"
    if path.suffix or len(path.parts) > 1:
        raise UserError(f"{name_or_path}: there is no such target file; {examples}")
    named = Path("targets", f"{name_or_path}.yaml")
    if named.is_file():
        return named
    there = ", ".join(sorted(file.stem for file in Path("targets").glob("*.yaml")))
    raise UserError(
        f"{name_or_path}: there is no targets/{name_or_path}.yaml (there: {there or 'none'}), and "
        f"no target file of that name; {examples}"
    )


def _absolute(target: Target, folder: Path) -> Target:
    update: dict[str, Any] = {
        "paths": {
            str((folder / Path(prefix).expanduser()).resolve()): location
            for prefix, location in target.paths.items()
        }
    }
    if isinstance(target, KubeflowTarget) and target.ca_file is not None:
        update["ca_file"] = str((folder / Path(target.ca_file).expanduser()).resolve())
    return target.model_copy(update=update)


def _below(location: str, prefix: str) -> str | None:
    """Returns a path relative to a prefix, None where it does not lie below it."""
    try:
        rest = PurePosixPath(location).relative_to(prefix)
    except ValueError:
        return None
    return "" if rest == PurePosixPath(".") else str(rest)
