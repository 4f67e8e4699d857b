"""A JobSet that trains one model on several pods, as Kubernetes is told of it.

The workers are the pods of one Indexed Job: an index and a DNS name each, from which every
worker knows itself and its peers. They stand and fall together. One that ended can't join the
others again, nor can the others go on without it; so whatever ends one worker ends the Job,
and the JobSet starts a whole new one where the end was an interruption. Then training goes on
from its last state. An error fails the JobSet: retries are counted in one place, the task's.

This module makes and judges objects; `jobset_api` alone talks to a cluster.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from components.common.digests import canonical_json
from components.common.process.termination import TERMINATED

GROUP, VERSION, PLURAL = "jobset.x-k8s.io", "v1alpha2", "jobsets"
CONTAINER = "main"
"""The worker's container, as KFP calls a task's own."""
COMMAND = ("python3", "-m", "components.launched_worker")
PORT = 2222
PEER_LOST = 75
"""The exit status of a worker that lost another one and did nothing wrong itself; 75 is
EX_TEMPFAIL in sysexits.h."""
INTERRUPTED = (PEER_LOST, TERMINATED)

POD_INDEX = "batch.kubernetes.io/job-completion-index"
JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"
QUEUE_NAME = "kueue.x-k8s.io/queue-name"
KEY = "litesmith/key"
"""The annotation with the key of what the JobSet computes."""

POD_NAME, POD_UID = "LITESMITH_POD_NAME", "LITESMITH_POD_UID"
"""Set in a launcher's pod: which pod it is, for it owns the JobSet."""
NAMESPACE = "LITESMITH_NAMESPACE"

_JOB = "worker"
_KEPT_S = 3600  # A JobSet that ended and that no launcher removed, for looking at it.


class WorkerPods(BaseModel):
    """The workers of a stage, as its target describes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(ge=2)]
    template: Mapping[str, Any]
    """A Kubernetes PodTemplateSpec, whose container gets its command from here."""
    queue: str | None = None
    """Kueue's LocalQueue, which admits all workers at once."""
    timeout_s: int | None = None
    """For each Job."""

    def to_json(self) -> str:
        return canonical_json(self.model_dump(mode="json"))


def jobset_name(stage: str, key: str) -> str:
    """Returns the name under which everyone who wants a computation finds its JobSet.

    A pod's name has at most 63 characters, of which JobSet and Job need some twenty.
    """
    return f"litesmith-{stage}-{key[:16]}"


def worker_addresses(name: str, count: int) -> tuple[str, ...]:
    """Returns where the workers of a JobSet reach one another, the chief first.

    JobSet names a pod after the set, its job, and the indices of both, within a headless
    service of the set's name.
    """
    return tuple(f"{name}-{_JOB}-0-{index}.{name}:{PORT}" for index in range(count))


def build_jobset(
    pods: WorkerPods,
    *,
    stage: str,
    key: str,
    data_root: str,
    owner: Mapping[str, str],
) -> dict[str, Any]:
    """Returns a JobSet, to be created.

    Args:
      pods: the workers.
      stage: the stage that they compute.
      key: of the computation.
      data_root: where the launch, the inputs and the states lie.
      owner: name and uid of the pod that waits for the set and takes it along when it is
        deleted.
    """
    name = jobset_name(stage, key)
    # The Job says why it failed, and by that word alone the JobSet decides (maxRestarts is 0):
    #
    #   exit 75 or 143, eviction, drained node -> PodFailurePolicy      -> all pods anew, uncounted
    #   any other exit (backoffLimit 0)        -> BackoffLimitExceeded  -> the set fails
    #   longer than timeout_s                  -> DeadlineExceeded      -> the set fails
    job = {
        "parallelism": pods.count,
        "completions": pods.count,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": CONTAINER,
                        "operator": "In",
                        "values": list(INTERRUPTED),
                    },
                },
                {
                    "action": "FailJob",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
        "template": _with_command(
            pods.template, [stage, key, data_root, *worker_addresses(name, pods.count)]
        ),
    }
    if pods.timeout_s is not None:
        job["activeDeadlineSeconds"] = pods.timeout_s
    labels = dict(pods.template.get("metadata", {}).get("labels", {}))
    if pods.queue is not None:
        labels[QUEUE_NAME] = pods.queue
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "JobSet",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {KEY: key},
            # Not blocking: that would ask for a right over the pod's finalizers.
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", **owner}],
        },
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {
                "maxRestarts": 0,
                "rules": [
                    {
                        "name": "Interrupted",
                        "action": "RestartJobSetAndIgnoreMaxRestarts",
                        "onJobFailureReasons": ["PodFailurePolicy"],
                    }
                ],
            },
            "ttlSecondsAfterFinished": _KEPT_S,
            "replicatedJobs": [{"name": _JOB, "replicas": 1, "template": {"spec": job}}],
        },
    }


def _with_command(template: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    (container,) = template["spec"]["containers"]
    own = {
        "name": CONTAINER,
        "command": list(COMMAND),
        "args": list(arguments),
        "ports": [{"containerPort": PORT}],
        # Then a pod's status has its last lines, without a right to read its log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {**template["spec"], "restartPolicy": "Never", "containers": [{**container, **own}]}
    return {**template, "spec": spec}


def condition(jobset: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Returns a JobSet's condition (`Completed`, `Failed`) where it holds."""
    conditions = jobset.get("status", {}).get("conditions", ())
    held = (each for each in conditions if each["type"] == kind and each["status"] == "True")
    return next(held, None)


def pod_index(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"].get("annotations", {}).get(POD_INDEX, -1))


def exit_of(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns how a pod's container ended (`exitCode`, `reason`, `message`), if it did."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container["name"] == CONTAINER and (end := container["state"].get("terminated")):
            ended: Mapping[str, Any] = end
            return ended
    return None


def failed_by_itself(pod: Mapping[str, Any]) -> bool:
    """Whether a pod failed, and neither an interruption nor another's failure ended it."""
    end = exit_of(pod)
    if end is None or end["exitCode"] in (0, *INTERRUPTED):
        return False
    if pod["metadata"].get("deletionTimestamp"):
        return False  # Killed because another failed, or by hand.
    conditions = pod.get("status", {}).get("conditions", ())
    return not any(
        each["type"] == "DisruptionTarget" and each["status"] == "True" for each in conditions
    )


def describe_pods(pods: Sequence[Mapping[str, Any]], count: int) -> str:
    """Returns a few words on what the workers of a JobSet are doing, and what holds them up."""
    states: dict[str, int] = {}
    for pod in pods:
        state = pod.get("status", {}).get("phase", "Pending").lower()
        if state == "pending" and (reason := _holdup(pod)):
            state = f"pending ({reason})"
        states[state] = states.get(state, 0) + 1
    if missing := count - len(pods):
        states["not there yet"] = missing
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))


def _holdup(pod: Mapping[str, Any]) -> str | None:
    status = pod.get("status", {})
    for container in status.get("containerStatuses", ()):
        if waiting := container["state"].get("waiting"):
            return str(waiting.get("reason"))
    for each in status.get("conditions", ()):
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return str(each.get("message") or each.get("reason"))
    return None
