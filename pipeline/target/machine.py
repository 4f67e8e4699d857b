"""A machine: what a task runs on."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from components.common.config import Section
from components.common.workers.worker import DEVICES

Cpu = Annotated[str, Field(pattern=r"^\d+(\.\d+|m)?$")]
Bytes = Annotated[str, Field(pattern=r"^\d+(\.\d+)?([KMGTPE]i?)?$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
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
    """Pods that train one model together, each with all of the above; for the stages that train
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
