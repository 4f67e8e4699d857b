"""The logs of a run's pods, straight from Kubernetes: KFP's API does not have them.

Every task's pod bears the run's id, from KFP, and its stage, from the compiled DAG.
"""

import dataclasses
from collections.abc import Iterator, Mapping

import kubernetes
import urllib3

from components.common.errors import UserError
from pipeline.target import KubeflowTarget, PortForwardAuth, task_of

_TIMEOUT_S = (10, 60)  # To connect, and between two pieces of an answer.


@dataclasses.dataclass(frozen=True)
class PodLog:
    """What one attempt of a task printed."""

    stage: str
    pod: str
    phase: str
    text: str


def read_logs(
    target: KubeflowTarget, kfp_id: str, stage: str | None, environment: Mapping[str, str]
) -> Iterator[PodLog]:
    """Yields the logs of a run's pods, the oldest pod first.

    Args:
      target: where the run is.
      kfp_id: KFP's id of the run.
      stage: whose logs; None for all stages.
      environment: where KUBECONFIG is looked up.

    Raises:
      UserError: Kubernetes can't be reached, refuses, or keeps no pod of the run any more;
        names the command that does the same by hand.
    """
    labels = {"pipeline/runid": kfp_id, "app.kubernetes.io/name": "litesmith"}
    if stage is not None:
        labels["app.kubernetes.io/component"] = task_of(stage)
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    by_hand = f"kubectl logs -n {target.namespace} -l {selector} -c main --prefix --tail=-1"
    try:
        core = kubernetes.client.CoreV1Api(connect_to_cluster(target, environment))
        found = core.list_namespaced_pod(
            target.namespace, label_selector=selector, _request_timeout=_TIMEOUT_S
        ).items
        for pod in sorted(found, key=lambda pod: pod.metadata.creation_timestamp):
            name = pod.metadata.name
            text = _read_log(core, name, target.namespace)
            component = pod.metadata.labels["app.kubernetes.io/component"]
            yield PodLog(stage=component, pod=name, phase=pod.status.phase, text=text)
    except kubernetes.config.ConfigException as error:
        raise UserError(
            f"logs come from Kubernetes, and there is no kubeconfig here ({error}); where there "
            f"is one: {by_hand}"
        ) from error
    except kubernetes.client.ApiException as error:
        raise UserError(
            f"Kubernetes refused ({error.status} {error.reason}); your account needs get and "
            f"list of pods and pods/log in {target.namespace}; by hand: {by_hand}"
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise UserError(f"Kubernetes can't be reached ({error}); by hand: {by_hand}") from error
    if not found:
        raise UserError(
            f"{target.namespace}: has no pods of this run{f' and {stage}' if stage else ''}; they "
            "have not started yet, or were removed (a stock KFP keeps them for an hour after the "
            "run); KFP's page of the run may have kept the logs"
        )


def _read_log(core: kubernetes.client.CoreV1Api, pod: str, namespace: str) -> str:
    """Returns a pod's log; for one that waits, or has gone meanwhile, says so."""
    try:
        return str(
            core.read_namespaced_pod_log(
                pod, namespace, container="main", _request_timeout=_TIMEOUT_S
            )
        )
    except kubernetes.client.ApiException as error:
        if error.status not in (400, 404):
            raise
        return "(no log: its container has not started, or the pod is gone)"


def connect_to_cluster(
    target: KubeflowTarget, environment: Mapping[str, str]
) -> kubernetes.client.ApiClient:
    context = target.auth.kube_context if isinstance(target.auth, PortForwardAuth) else None
    if context is None:
        try:
            configuration = kubernetes.client.Configuration()
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return kubernetes.client.ApiClient(configuration)
        except kubernetes.config.ConfigException:
            pass  # Not in a pod: the user's kubeconfig, then.
    return kubernetes.config.new_client_from_config(
        config_file=environment.get("KUBECONFIG"), context=context
    )
