"""The pods of a run, straight from Kubernetes: KFP's API has neither logs nor reasons.

Every pod of a run bears the run's id, from KFP. A task's pod bears its stage too, from the
compiled DAG; that of a driver, which is KFP's own, only the name of Argo's node.
"""

import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import kubernetes
import urllib3

from components.common.errors import UserError
from pipeline.kubeflow.cluster_run import DRIVER
from pipeline.kubeflow.proxies import find_proxy
from pipeline.kubeflow.run_end import PodEnd
from pipeline.stages import tasks_with
from pipeline.target import KubeflowTarget, PortForwardAuth

_TIMEOUT_S = (10, 60)  # To connect, and between two pieces of an answer.
_STAGE = "app.kubernetes.io/component"
_NODE = "workflows.argoproj.io/node-name"

# `finetune: started`, as a task says in a pod, and how it ends where it ends well.
_STARTED = re.compile(r"[a-z]+(\[[\w -]+\])?: started")
_FINISHED = re.compile(r"[a-z]+(\[[\w -]+\])?: finished( .*)?")
# What KFP's launcher (glog) and Argo's executor say of themselves, a line each.
_FOREIGN = re.compile(
    r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.-]+\.go:\d+\]"
    r"|time=\S+ level=\w+ .*"
    r"|\[KFP Executor [^\]]+\]:"
)


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
      stage: whose logs, those of its driver among them where that failed; None for all
        stages. `finetune-driver` asks for a driver's. In a search the rungs do the work of
        compress, quantize and evaluate: theirs are among those of each.
      environment: where KUBECONFIG and the proxy are looked up.

    Raises:
      UserError: Kubernetes can't be reached, refuses, or keeps no pod of the run any more;
        names the command that does the same by hand.
    """
    tasks = tasks_with(stage) if stage is not None else None
    selector = f"pipeline/runid={kfp_id}"
    labels = f"{selector},{_STAGE} in ({','.join(tasks)})" if tasks is not None else selector
    by_hand = f"kubectl logs -n {target.namespace} -l '{labels}' -c main --prefix --tail=-1"
    is_empty = True
    with _explained(target, by_hand):
        core = kubernetes.client.CoreV1Api(connect_to_cluster(target, environment))
        for pod in _list(core, target.namespace, selector):
            if not _is_wanted(pod, tasks):
                continue
            is_empty = False
            name = pod.metadata.name
            text = _read_log(core, name, target.namespace)
            yield PodLog(stage=_name(pod), pod=name, phase=pod.status.phase, text=text)
    if is_empty:
        raise UserError(
            f"{target.namespace}: has no pods of this run{f' and {tasks[0]}' if tasks else ''}; "
            "they have not started yet, or were removed (a stock KFP keeps them for an hour after "
            "the run); KFP's page of the run may have kept the logs"
        )


def own_lines(log: str) -> str:
    """Returns what a stage itself printed: not what KFP and Argo say before, between and after.

    A stage says when it starts and when it has finished; of one that did not start, all is
    returned, for that is where the reason stands.
    """
    lines = log.split("\n")
    first = next((n for n, line in enumerate(lines) if _STARTED.fullmatch(line)), None)
    if first is None:
        return log
    marks = [n for n, line in enumerate(lines) if _STARTED.fullmatch(line) or _is_end(line)]
    last = marks[-1] + 1 if _is_end(lines[marks[-1]]) else len(lines)
    return "\n".join(line for line in lines[first:last] if not _FOREIGN.match(line)).rstrip("\n")


def _is_end(line: str) -> bool:
    return _FINISHED.fullmatch(line) is not None


class RunPods:
    """What the pods of one run tell; where Kubernetes can't be asked, nothing."""

    def __init__(self, target: KubeflowTarget, kfp_id: str, environment: Mapping[str, str]) -> None:
        self._target = target
        self._kfp_id = kfp_id
        self._environment = environment

    def logs(self, stage: str) -> Iterator[str]:
        """Yields what a stage's pods printed."""
        with contextlib.suppress(UserError):
            for log in read_logs(self._target, self._kfp_id, stage, self._environment):
                yield log.text

    def end(self, stage: str) -> PodEnd | None:
        """Returns how a stage's last pod ended; None where that can't be told."""
        with contextlib.suppress(UserError), _explained(self._target, ""):
            core = kubernetes.client.CoreV1Api(connect_to_cluster(self._target, self._environment))
            pods = [pod for pod in self._list(core) if _name(pod) == stage]
            if pods:
                text = _read_log(core, pods[-1].metadata.name, self._target.namespace)
                return _end(pods[-1], text)
        return None

    def failed(self) -> tuple[str, ...]:
        """Returns the stages, and drivers of stages, whose last pod failed."""
        with contextlib.suppress(UserError), _explained(self._target, ""):
            core = kubernetes.client.CoreV1Api(connect_to_cluster(self._target, self._environment))
            phases = {_name(pod): pod.status.phase for pod in self._list(core)}
            return tuple(name for name, phase in phases.items() if phase == "Failed")
        return ()

    def _list(self, core: kubernetes.client.CoreV1Api) -> list[Any]:
        return _list(core, self._target.namespace, f"pipeline/runid={self._kfp_id}")


def _list(core: kubernetes.client.CoreV1Api, namespace: str, selector: str) -> list[Any]:
    """Returns pods, the oldest first."""
    found = core.list_namespaced_pod(
        namespace, label_selector=selector, _request_timeout=_TIMEOUT_S
    ).items
    return sorted(found, key=lambda pod: pod.metadata.creation_timestamp)


def _name(pod: Any) -> str:
    """Returns a pod's stage, or its driver's name, such as `finetune-driver`."""
    labels, annotations = pod.metadata.labels or {}, pod.metadata.annotations or {}
    if _STAGE in labels:
        return str(labels[_STAGE])
    node = str(annotations.get(_NODE, "")).rpartition(".")[2]
    return re.sub(r"\(\d+\)$", "", node)


def _is_wanted(pod: Any, tasks: Collection[str] | None) -> bool:
    name = _name(pod)
    if tasks is not None and name in tasks:
        return True
    if name.endswith(DRIVER):
        failed = pod.status.phase == "Failed"
        return failed and (tasks is None or name.removesuffix(DRIVER) in tasks)
    return tasks is None


def _end(pod: Any, log: str) -> PodEnd:
    terminated = next(
        (
            status.state.terminated
            for status in pod.status.container_statuses or ()
            if status.name == "main" and status.state and status.state.terminated
        ),
        None,
    )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return PodEnd(
        reason=pod.status.reason or (terminated.reason if terminated else "") or "",
        exit_code=terminated.exit_code if terminated else None,
        last_line=lines[-1][:500] if lines else "",
    )


@contextlib.contextmanager
def _explained(target: KubeflowTarget, by_hand: str) -> Iterator[None]:
    """Turns Kubernetes' errors into ones that say what to do."""
    try:
        yield
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
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UserError(f"Kubernetes can't be reached ({error}); by hand: {by_hand}") from error


def _read_log(core: kubernetes.client.CoreV1Api, pod: str, namespace: str) -> str:
    """Returns a pod's log; for one that waits, or has gone meanwhile, says so."""
    try:
        # As bytes: the client would take a log that is JSON for an object.
        answer = core.read_namespaced_pod_log(
            pod, namespace, container="main", _request_timeout=_TIMEOUT_S, _preload_content=False
        )
    except kubernetes.client.ApiException as error:
        if error.status not in (400, 404):
            raise
        return "(no log: its container has not started, or the pod is gone)"
    with contextlib.closing(answer):
        return str(answer.data.decode("utf-8", errors="replace"))


def connect_to_cluster(
    target: KubeflowTarget, environment: Mapping[str, str]
) -> kubernetes.client.ApiClient:
    """Returns a client: in a pod of its own cluster, elsewhere of the user's kubeconfig."""
    context = target.auth.kube_context if isinstance(target.auth, PortForwardAuth) else None
    configuration = kubernetes.client.Configuration()
    if context is None:
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return kubernetes.client.ApiClient(configuration)
        except kubernetes.config.ConfigException:
            pass  # Not in a pod: the user's kubeconfig, then.
    kubernetes.config.load_kube_config(
        config_file=environment.get("KUBECONFIG"),
        context=context,
        client_configuration=configuration,
    )
    proxy = find_proxy(configuration.host, environment)
    if proxy is not None and configuration.proxy is None:  # A kubeconfig may state its own.
        configuration.proxy, configuration.proxy_headers = proxy.address, proxy.headers
    return kubernetes.client.ApiClient(configuration)
