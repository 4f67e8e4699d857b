"""The workers of a stage that trains on several pods, and the small machine that waits for them.

The stage's machine becomes the workers', and KFP's task gets one that only launches; what a
worker's pod looks like travels to it in an environment variable.
"""

from collections.abc import Mapping
from typing import Any

from kfp import dsl, kubernetes

from components.common.workers.jobset import NAMESPACE, POD_NAME, POD_UID, WorkerPods
from components.common.workers.worker import WORKER_PODS
from pipeline.target import KubeflowTarget, Machine

_LAUNCHER = Machine(cpu="250m", cpu_limit="1", memory="1Gi")
_SCRATCH = "/tmp"  # All that a worker may write besides its volumes; the images' home, too.
_FIELDS = {POD_NAME: "metadata.name", POD_UID: "metadata.uid", NAMESPACE: "metadata.namespace"}


def launcher_machine(machine: Machine, target: KubeflowTarget) -> Machine:
    """Returns what a task runs on that waits for workers with a machine each."""
    return _LAUNCHER.model_copy(
        update={
            "timeout_s": machine.timeout_s,
            "retries": machine.retries,
            "environment": machine.environment,
            "secrets": machine.secrets,
            "node_selector": target.machine.node_selector,
            "tolerations": target.machine.tolerations,
        }
    )


def let_launch(
    task: dsl.PipelineTask, machine: Machine, target: KubeflowTarget, labels: Mapping[str, str]
) -> None:
    """Tells a task to let workers compute.

    Args:
      task: the task; its container has its image already.
      machine: what each worker runs on.
      target: where the workers run.
      labels: of the task's pods and the workers'.
    """
    pods = WorkerPods(
        count=machine.workers,
        template=_pod_template(task.container_spec.image, machine, target, labels),
        queue=target.queue,
        timeout_s=machine.timeout_s,
    )
    task.set_env_variable(WORKER_PODS, pods.to_json())
    for variable, field in _FIELDS.items():
        kubernetes.use_field_path_as_env(task, variable, field)


def _pod_template(
    image: str, machine: Machine, target: KubeflowTarget, labels: Mapping[str, str]
) -> dict[str, Any]:
    volumes, mounts = _volumes(machine, target)
    user = target.run_as_user
    ids = {} if user is None else {"runAsUser": user, "runAsGroup": user}
    requests = {"cpu": machine.cpu, "memory": machine.memory}
    limits = {
        "cpu": machine.cpu_limit or machine.cpu,
        "memory": machine.memory_limit or machine.memory,
    }
    if machine.accelerator is not None:
        limits[machine.accelerator.type] = str(machine.accelerator.count)
        requests[machine.accelerator.type] = str(machine.accelerator.count)
    spec = {
        "serviceAccountName": target.service_account,
        "automountServiceAccountToken": False,  # A worker asks Kubernetes for nothing.
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            **ids,
        },
        "imagePullSecrets": [{"name": name} for name in target.image_pull_secrets],
        "nodeSelector": dict(machine.node_selector),
        "tolerations": [each.model_dump(exclude_none=True) for each in machine.tolerations],
        "volumes": volumes,
        "containers": [
            {
                "name": "main",
                "image": image,
                "env": _environment(machine),
                "resources": {"requests": requests, "limits": limits},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
    }
    # A sidecar would outlive the worker, and stand between it and the others.
    own = {"sidecar.istio.io/inject": "false", **labels}
    return {"metadata": {"labels": own}, "spec": spec}


def _environment(machine: Machine) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in sorted(machine.environment.items())
    ]
    for name, secret in sorted(machine.secrets.items()):
        key = {"name": secret.name, "key": secret.key}
        values.append({"name": name, "valueFrom": {"secretKeyRef": key}})
    return values


def _volumes(
    machine: Machine, target: KubeflowTarget
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns a pod's volumes and its container's mounts."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    # A claim that is mounted twice is one volume.
    claims = list(dict.fromkeys(volume.claim for volume in target.volumes))
    for number, claim in enumerate(claims):
        source = {"claimName": claim}
        volumes.append({"name": f"volume-{number}", "persistentVolumeClaim": source})
    for volume in target.volumes:
        mount = {"name": f"volume-{claims.index(volume.claim)}", "mountPath": volume.path}
        mounts.append(mount | ({"subPath": volume.sub_path} if volume.sub_path else {}))
    if machine.shared_memory is not None:
        memory = {"medium": "Memory", "sizeLimit": machine.shared_memory}
        volumes.append({"name": "shared-memory", "emptyDir": memory})
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    if _SCRATCH not in {volume.path for volume in target.volumes}:
        volumes.append({"name": "scratch", "emptyDir": {}})
        mounts.append({"name": "scratch", "mountPath": _SCRATCH})
    return volumes, mounts
