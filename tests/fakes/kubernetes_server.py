"""A Kubernetes API server of one process, with JobSet, for the official client to speak to.

It answers by the published schemas: a JobSet is checked against its custom resource
definition, its job and pods against Kubernetes' own schemas, and what the admission webhooks
and the API server refuse beyond them is refused here; unknown fields are refused too. Who asks
must hold the token and a role. Pods end as a test says, and what follows for job and JobSet is
taken from the policies in the object itself. What it can't show is what a cluster adds:
scheduling, DNS, the kubelet.
"""

import contextlib
import copy
import dataclasses
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.fakes.api_server import ApiServer, Fault, Json, Refusal, Request
from tests.fakes.certificates import write_certificate

KUBERNETES_VERSION = "1.34"
TOKEN = "a-service-account's-token"
_STAMP = "2026-01-01T00:00:00Z"
_JOBSETS = "/apis/jobset.x-k8s.io/v1alpha2/namespaces/([^/]+)/jobsets"
_REVIEWS = "/apis/authorization.k8s.io/v1/namespaces/([^/]+)/localsubjectaccessreviews"
_PODS = "/api/v1/namespaces/([^/]+)/pods"
_CONFIG_MAPS = "/api/v1/namespaces/([^/]+)/configmaps"


@dataclasses.dataclass
class KubernetesServer(ApiServer):
    """The state of a cluster, and what tests do to it.

    Attributes:
      workload: called in a thread of its own whenever a JobSet's pods were made anew, with
        the server, the JobSet's name and how often it was restarted.
      rules: of the caller's role; all that they do not grant is refused.
      has_jobset: whether JobSet is installed.
      config_maps: (namespace, name) -> data.
      requests: `METHOD /path?query` of every request.
      verbs: `verb resource` of every request that was permitted.
    """

    workload: Callable[["KubernetesServer", str, int], None] = lambda server, name, attempt: None
    rules: Sequence[Json] | None = None
    has_jobset: bool = True
    config_maps: dict[tuple[str, str], dict[str, str]] = dataclasses.field(default_factory=dict)
    verbs: set[str] = dataclasses.field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.jobsets: dict[str, Json] = {}
        self.created: list[Json] = []
        self.pods: dict[str, Json] = {}
        self.logs: dict[str, list[str]] = {}
        self._version = 100
        self._oldest = 0
        self._changes: list[tuple[int, str, Json]] = []
        self._changed = threading.Condition(threading.RLock())

    # --- what tests do --------------------------------------------------------------

    @contextlib.contextmanager
    def serving(self, folder: Path, monkeypatch: Any) -> Iterator["KubernetesServer"]:
        """Serves by TLS, and lets this process find it as a pod finds its cluster's."""
        certificate = write_certificate(folder / "server.pem")
        token = folder / "token"
        token.write_text(TOKEN)
        with self.listening(certificate) as port:
            self.environment = {
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(port),
            }
            self.files = {"TOKEN": str(token), "CERT": str(certificate)}
            for name, value in self.environment.items():
                monkeypatch.setenv(name, value)
            for name, value in self.files.items():
                place = f"kubernetes.config.incluster_config.SERVICE_{name}_FILENAME"
                monkeypatch.setattr(place, value)
            try:
                yield self
            finally:
                with self._changed:
                    self._changed.notify_all()

    def run_pod(
        self,
        run_id: str,
        stage: str,
        log: str = "",
        *,
        phase: str = "Succeeded",
        reason: str = "",
        exit_code: int = 0,
    ) -> str:
        """Makes a pod of a run of KFP's as Argo labels it; returns its name.

        Args:
          run_id: KFP's id of the run.
          stage: a stage, or its driver, such as `finetune-driver`, which only its node names.
          log: what it has printed.
          phase: Kubernetes' word for where it is.
          reason: of its container's end, or, `Evicted`, of the pod's.
          exit_code: of its container.
        """
        name = f"litesmith-{len(self.pods):04d}"
        labels = {"pipeline/runid": run_id, "workflows.argoproj.io/workflow": "litesmith"}
        node = f"litesmith.root.exit-handler-1.{stage}"
        if not stage.endswith("-driver"):
            labels["app.kubernetes.io/component"] = stage
            node += ".executor(0)"
        state = {"terminated": {"exitCode": exit_code, "reason": reason or "Completed"}}
        status = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        statuses = [{**status, "state": state}] if phase in ("Succeeded", "Failed") else []
        with self._changed:
            self.pods[name] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "labels": labels,
                    "annotations": {"workflows.argoproj.io/node-name": node},
                    "creationTimestamp": f"2026-01-01T00:00:{len(self.pods):02d}Z",
                },
                "status": {
                    "phase": phase,
                    "containerStatuses": statuses,
                    **({"reason": reason} if reason == "Evicted" else {}),
                },
            }
            self.logs[name] = log.split("\n")
        return name

    def create(self, jobset: Json) -> None:
        """Makes a JobSet, as anyone may."""
        request = Request("POST", "", {}, Message(), json.dumps(jobset).encode())
        with self._changed:
            self._create(request, "vision")

    def mark_deleted(self, name: str) -> None:
        """Lets a JobSet go, which a finalizer still holds."""
        with self._changed:
            self.jobsets[name]["metadata"]["deletionTimestamp"] = _STAMP
            self._note("MODIFIED", self.jobsets[name])

    def conclude(self, name: str, kind: str) -> None:
        """Ends a JobSet, `Completed` or `Failed`."""
        with self._changed:
            self._conclude(self.jobsets[name], kind, "Ended", "by a test")

    def stop_all_at_once(self, name: str, codes: Mapping[int, int]) -> None:
        """Ends several pods before their job's controller looks."""
        with self._changed:
            for index, code in codes.items():
                self._terminate(name, index, code)
        time.sleep(0.2)  # As slow as a busy controller.
        with self._changed:
            if name in self.jobsets:
                self._reconcile(name)

    def forget_history(self) -> None:
        """Lets every watch from before now be answered with 410, as after a compaction."""
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._changed.notify_all()

    def worker(self, name: str, index: int) -> str:
        """Returns the name of a JobSet's pod."""
        with self._changed:
            (pod,) = (
                pod
                for pod, found in self.pods.items()
                if found["metadata"]["labels"]["jobset.sigs.k8s.io/jobset-name"] == name
                and _index(found) == index
            )
            return pod

    def hold_up(self, name: str, index: int, reason: str) -> None:
        """Lets a pod wait for its container."""
        self._set(name, index, "Pending", {"waiting": {"reason": reason}})

    def begin(self, name: str) -> None:
        """Lets all pods of a JobSet run."""
        with self._changed:
            for index in range(len(self._pods_of(name))):
                self._set(name, index, "Running", {"running": {"startedAt": _STAMP}})

    def say(self, name: str, index: int, *lines: str) -> None:
        """Prints lines in a pod."""
        with self._changed:
            if name not in self.jobsets:
                return
            self.logs.setdefault(self.worker(name, index), []).extend(lines)
            self._changed.notify_all()

    def end(self, name: str, index: int, code: int, *, disrupted: bool = False) -> None:
        """Ends a pod, and does what job and JobSet then do."""
        with self._changed:
            if name not in self.jobsets:
                return
            if disrupted:
                target = {"type": "DisruptionTarget", "status": "True"}
                self.pods[self.worker(name, index)]["status"]["conditions"] = [target]
            self._terminate(name, index, code)
            self._reconcile(name)

    def remove(self, name: str) -> None:
        """Removes a JobSet and its pods, as anyone may."""
        with self._changed:
            jobset = self.jobsets.pop(name)
            for pod in self._pods_of(name):
                del self.pods[pod]
            self._note("DELETED", jobset)

    # --- what controllers do --------------------------------------------------------

    def _terminate(self, name: str, index: int, code: int) -> None:
        lines = self.logs.get(self.worker(name, index), ())
        state = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "message": "\n".join(lines[-80:])[-2048:] if code else "",
        }
        phase = "Succeeded" if code == 0 else "Failed"
        self._set(name, index, phase, {"terminated": state})

    def _make_pods(self, jobset: Json) -> None:
        name, restarts = jobset["metadata"]["name"], jobset["status"]["restarts"]
        (job,) = jobset["spec"]["replicatedJobs"]
        spec = job["template"]["spec"]
        for index in range(spec["completions"]):
            template = copy.deepcopy(spec["template"])
            pod = f"{name}-{job['name']}-0-{index}-{uuid.uuid4().hex[:5]}"
            metadata = template.setdefault("metadata", {})
            metadata.update(name=pod, namespace=jobset["metadata"]["namespace"])
            metadata["uid"] = str(uuid.uuid4())
            labels = metadata.setdefault("labels", {})
            labels["jobset.sigs.k8s.io/jobset-name"] = name
            labels["jobset.sigs.k8s.io/restart-attempt"] = str(restarts)
            place = metadata.setdefault("annotations", {})
            place["batch.kubernetes.io/job-completion-index"] = str(index)
            self.pods[pod] = {
                "apiVersion": "v1",
                "kind": "Pod",
                **template,
                "status": {"phase": "Pending"},
            }
        arguments = (self, name, restarts)
        threading.Thread(target=self.workload, args=arguments, daemon=True).start()

    def _pods_of(self, name: str) -> list[str]:
        label = "jobset.sigs.k8s.io/jobset-name"
        return [n for n, pod in self.pods.items() if pod["metadata"]["labels"][label] == name]

    def _set(self, name: str, index: int, phase: str, state: Json) -> None:
        with self._changed:
            if name not in self.jobsets:
                return
            pod = self.pods[self.worker(name, index)]
            status = {
                "name": pod["spec"]["containers"][0]["name"],
                "image": pod["spec"]["containers"][0]["image"],
                "imageID": "",
                "ready": "running" in state,
                "restartCount": 0,
                "state": state,
            }
            pod["status"].update(phase=phase, containerStatuses=[status])
            self._note("MODIFIED", self.jobsets[name])

    def _reconcile(self, name: str) -> None:
        """Lets the job complete or fail by its pods, and the JobSet end or start anew."""
        jobset = self.jobsets[name]
        pods = [self.pods[pod] for pod in self._pods_of(name)]
        if all(pod["status"]["phase"] == "Succeeded" for pod in pods):
            self._conclude(jobset, "Completed", "AllJobsCompleted", "jobset completed")
            return
        spec = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
        reason = _job_failure(spec, [p for p in pods if p["status"]["phase"] == "Failed"])
        if reason is None:
            return
        policy = jobset["spec"]["failurePolicy"]
        actions = (
            rule["action"]
            for rule in policy["rules"]
            if reason in rule.get("onJobFailureReasons", (reason,))
        )
        action = next(actions, "RestartJobSet")
        if action == "RestartJobSetAndIgnoreMaxRestarts":
            jobset["status"]["restarts"] += 1
            for pod in self._pods_of(name):
                del self.pods[pod]
            self._note("MODIFIED", jobset)
            self._make_pods(jobset)
        else:
            assert action == "RestartJobSet" and policy["maxRestarts"] == 0
            for pod in pods:
                if pod["status"]["phase"] not in ("Failed", "Succeeded"):
                    del self.pods[pod["metadata"]["name"]]
            self._conclude(jobset, "Failed", "ReachedMaxRestarts", f"job failed: {reason}")

    def _conclude(self, jobset: Json, kind: str, reason: str, message: str) -> None:
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        jobset["status"]["conditions"] = [{**condition, "lastTransitionTime": _STAMP}]
        jobset["status"]["terminalState"] = kind
        self._note("MODIFIED", jobset)

    def _note(self, kind: str, jobset: Json) -> None:
        with self._changed:
            self._version += 1
            jobset["metadata"]["resourceVersion"] = str(self._version)
            self._changes.append((self._version, kind, copy.deepcopy(jobset)))
            self._changed.notify_all()

    # --- what the server answers ----------------------------------------------------

    def take_fault(self, request: str) -> Fault | None:
        self.requests.append(request)
        return super().take_fault(request)

    def error(self, message: str) -> Json:
        return {"kind": "Status", "message": message}

    def answer(self, request: Request) -> Json | Iterator[str]:
        if (request.authorization or "").split()[1:] != [TOKEN]:
            raise Refusal(401, "Unauthorized")
        for method, verb, resource, path, answer in _ROUTES:
            match = re.fullmatch(path, request.path)
            watches = request.query.get("watch", "").lower() == "true"
            if match and (method, verb == "watch") == (request.method, watches):
                self._authorize(verb, resource)
                with self._changed:
                    return answer(self, request, *match.groups())
        raise Refusal(404, "the server could not find the requested resource")

    def _authorize(self, verb: str, resource: str) -> None:
        if not self._grants(verb, resource) and resource != "nothing":
            raise Refusal(403, f"forbidden: the service account cannot {verb} {resource}")
        self.verbs.add(f"{verb} {resource}")

    def _grants(self, verb: str, resource: str) -> bool:
        group = "jobset.x-k8s.io" if resource == "jobsets" else ""
        return self.rules is None or any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for rule in self.rules
        )

    def _create(self, request: Request, namespace: str) -> Json:
        self._installed()
        jobset = json.loads(request.data)
        check_jobset(jobset)
        name = jobset["metadata"]["name"]
        if name in self.jobsets:
            raise Refusal(409, f'jobsets.jobset.x-k8s.io "{name}" already exists')
        jobset["metadata"].update(namespace=namespace, uid=str(uuid.uuid4()))
        jobset["status"] = {"restarts": 0}
        self.jobsets[name] = jobset
        self.created.append(copy.deepcopy(jobset))
        self._note("ADDED", jobset)
        self._make_pods(jobset)
        return jobset

    def _get(self, request: Request, namespace: str, name: str) -> Json:
        return self._found(name)

    def _delete(self, request: Request, namespace: str, name: str) -> Json:
        if not self._found(name)["metadata"].get("deletionTimestamp"):
            self.remove(name)
        return {"kind": "Status", "status": "Success"}

    def _watch(self, request: Request, namespace: str) -> Iterator[str]:
        self._installed()
        field, name = request.query["fieldSelector"].split("=")
        assert field == "metadata.name"
        seen = int(request.query["resourceVersion"])
        return self._changes_since(seen, name, float(request.query["timeoutSeconds"]))

    def _changes_since(self, seen: int, name: str, timeout_s: float) -> Iterator[str]:
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            with self._changed:
                if seen < self._oldest:
                    expired = {"code": 410, "reason": "Expired", "message": "too old a version"}
                    events = [{"type": "ERROR", "object": {"kind": "Status", **expired}}]
                else:
                    events = [
                        {"type": kind, "object": jobset}
                        for version, kind, jobset in self._changes
                        if version > seen and jobset["metadata"]["name"] == name
                    ]
                    seen = self._version
                    if not events:
                        self._changed.wait(left)
            yield from map(json.dumps, events)
            if events and events[0]["type"] == "ERROR":
                return

    def _resources(self, request: Request) -> Json:
        self._installed()
        resource = {"name": "jobsets", "singularName": "jobset", "namespaced": True}
        resource |= {"kind": "JobSet", "verbs": ["create", "delete", "get", "list", "watch"]}
        version = "jobset.x-k8s.io/v1alpha2"
        return {"kind": "APIResourceList", "groupVersion": version, "resources": [resource]}

    def _review(self, request: Request, namespace: str) -> Json:
        """Answers what a service account may, by the role that all of them have here."""
        review: Json = json.loads(request.data)
        asked = review["spec"]["resourceAttributes"]
        assert review["spec"]["user"].startswith(f"system:serviceaccount:{namespace}:")
        review["status"] = {"allowed": self._grants(asked["verb"], asked["resource"])}
        return review

    def _list_pods(self, request: Request, namespace: str) -> Json:
        wanted = dict(label.split("=") for label in request.query["labelSelector"].split(","))
        pods = [p for p in self.pods.values() if wanted.items() <= p["metadata"]["labels"].items()]
        return {"kind": "PodList", "apiVersion": "v1", "items": copy.deepcopy(pods)}

    def _log(self, request: Request, namespace: str, name: str) -> Iterator[str]:
        if name not in self.pods:
            raise Refusal(404, f'pods "{name}" not found')
        if "follow" not in request.query:
            if self.pods[name]["status"]["phase"] == "Pending":
                raise Refusal(400, "container main in pod is waiting to start")
            return iter(self.logs[name])
        assert request.query["timestamps"] == request.query["follow"] == "True"
        return self._lines_of(name)

    def _config_map(self, request: Request, namespace: str, name: str) -> Json:
        if (namespace, name) not in self.config_maps:
            raise Refusal(404, f'configmaps "{name}" not found')
        metadata = {"name": name, "namespace": namespace}
        data = self.config_maps[namespace, name]
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def _lines_of(self, name: str) -> Iterator[str]:
        printed, ended = 0, False
        while not ended:
            with self._changed:
                pod = self.pods.get(name)
                ended = pod is None or pod["status"]["phase"] in ("Succeeded", "Failed")
                lines = self.logs.get(name, [])[printed:]
                if not lines and not ended:
                    self._changed.wait(1)
            for number, line in enumerate(lines, start=printed):
                yield f"2026-01-01T00:00:00.{number:09d}Z {line}"
            printed += len(lines)

    def _installed(self) -> None:
        if not self.has_jobset:
            raise Refusal(404, "the server could not find the requested resource")

    def _found(self, name: str) -> Json:
        self._installed()
        if name not in self.jobsets:
            raise Refusal(404, f'jobsets.jobset.x-k8s.io "{name}" not found')
        return self.jobsets[name]


def _index(pod: Json) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def _job_failure(spec: Json, failed: Sequence[Json]) -> str | None:
    """Returns the reason for which a job fails by its failed pods, as its controller does."""
    for pod in failed:
        for rule in spec["podFailurePolicy"]["rules"]:
            if _matches(rule, pod):
                assert rule["action"] == "FailJob"
                return "PodFailurePolicy"
    return "BackoffLimitExceeded" if len(failed) > spec["backoffLimit"] else None


def _matches(rule: Json, pod: Json) -> bool:
    if codes := rule.get("onExitCodes"):
        (status,) = pod["status"]["containerStatuses"]
        assert codes["operator"] == "In" and codes["containerName"] == status["name"]
        return status["state"]["terminated"]["exitCode"] in codes["values"]
    held = {(each["type"], each["status"]) for each in pod["status"].get("conditions", ())}
    return any((each["type"], each["status"]) in held for each in rule["onPodConditions"])


# --- what is refused ----------------------------------------------------------------


def _jobset_schema() -> Json:
    """Returns the custom resource's schema, with unknown fields refused."""
    text = Path(__file__).with_name("jobset_crd.yaml").read_text()
    (version,) = yaml.safe_load(text)["spec"]["versions"]
    schema: Json = version["schema"]["openAPIV3Schema"]
    _close(schema)
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _close(schema: Json) -> None:
    if schema.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    for inner in schema.get("properties", {}).values():
        _close(inner)
    if isinstance(schema.get("items"), dict):
        _close(schema["items"])


_SCHEMA = _jobset_schema()
_DNS_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"


def check_jobset(jobset: Json) -> None:
    """Checks a JobSet as API server and webhooks do when one is created.

    Raises:
      Refusal: says what is wrong with it.
    """
    try:
        jsonschema.Draft202012Validator(_SCHEMA).validate(jobset)
        for job in jobset["spec"]["replicatedJobs"]:
            # The job's schema checks the JobSet's metadata with it.
            kubernetes_validate.validate(
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": jobset["metadata"],
                    **job["template"],
                },
                KUBERNETES_VERSION,
                strict=True,
            )
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        raise Refusal(422, f"JobSet is invalid: {error}") from error
    name = jobset["metadata"]["name"]
    for job in jobset["spec"]["replicatedJobs"]:
        _check_job(job["template"]["spec"])
        last = job["template"]["spec"]["completions"] - 1
        for label in (name, f"{name}-{job['name']}-0-{last}-abcde"):
            if not re.fullmatch(_DNS_LABEL, label):
                raise Refusal(422, f"{label}: must be a DNS label of at most 63 characters")
    for rule in jobset["spec"]["failurePolicy"].get("rules", ()):
        if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", rule["name"]):
            raise Refusal(422, f"{rule['name']!r}: invalid failure policy rule name")
    for label, value in jobset["metadata"].get("labels", {}).items():
        if not re.fullmatch(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?", value):
            raise Refusal(422, f"{label}: invalid label value {value!r}")


def _check_job(spec: Json) -> None:
    pod = spec["template"]["spec"]
    if pod.get("restartPolicy") != "Never":
        raise Refusal(422, "podFailurePolicy: only supported when restartPolicy is Never")
    if spec["completionMode"] == "Indexed" and spec["completions"] != spec["parallelism"]:
        raise Refusal(422, "an elastic indexed job needs as many completions as parallelism")
    containers = {container["name"] for container in pod["containers"]}
    for rule in spec["podFailurePolicy"]["rules"]:
        if ("onExitCodes" in rule) == ("onPodConditions" in rule):
            raise Refusal(422, "specifying one of OnExitCodes and OnPodConditions is required")
        codes = rule.get("onExitCodes", {"values": [1], "containerName": None})
        if codes["values"] != sorted(set(codes["values"])) or 0 in codes["values"]:
            raise Refusal(422, "onExitCodes.values: must be ordered, unique, and without 0")
        if codes["containerName"] not in (None, *containers):
            raise Refusal(422, "onExitCodes.containerName: must be one of the containers")
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    for container in pod["containers"]:
        for mount in container.get("volumeMounts", ()):
            if mount["name"] not in volumes:
                raise Refusal(422, f"volumeMounts: {mount['name']} is not a volume")
        for name, requested in container["resources"].get("requests", {}).items():
            if "/" in name and container["resources"]["limits"].get(name) != requested:
                raise Refusal(422, f"requests.{name}: must be equal to the limit")
    for volume in volumes:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", volume):
            raise Refusal(422, f"{volume}: invalid volume name")


# --- HTTP ---------------------------------------------------------------------------

_ROUTES: tuple[tuple[str, str, str, str, Callable[..., Any]], ...] = (
    ("POST", "create", "jobsets", _JOBSETS, KubernetesServer._create),
    ("GET", "watch", "jobsets", _JOBSETS, KubernetesServer._watch),
    ("GET", "get", "jobsets", f"{_JOBSETS}/([^/]+)", KubernetesServer._get),
    ("DELETE", "delete", "jobsets", f"{_JOBSETS}/([^/]+)", KubernetesServer._delete),
    ("GET", "get", "nothing", "/apis/jobset.x-k8s.io/v1alpha2/?", KubernetesServer._resources),
    ("POST", "create", "nothing", _REVIEWS, KubernetesServer._review),
    ("GET", "list", "pods", _PODS, KubernetesServer._list_pods),
    ("GET", "get", "pods/log", f"{_PODS}/([^/]+)/log", KubernetesServer._log),
    ("GET", "get", "configmaps", f"{_CONFIG_MAPS}/([^/]+)", KubernetesServer._config_map),
)
