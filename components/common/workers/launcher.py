"""Lets workers compute what a task would have computed, and waits for them.

The only part of a stage that talks to Kubernetes. A launcher looks at what there is, acts,
and waits until the JobSet changes or half a minute has gone by; then it looks again. So it
does not matter what it missed: a watch that broke, an answer that was lost, another launcher
that started or removed the same set. Whoever comes to wait for a computation that is under
way waits for the set that computes it.
"""

import contextlib
import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import kubernetes
import urllib3

from components.common.documents.record import Record
from components.common.errors import BAD_INPUT, UserError
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.words.terminal import say
from components.common.workers.jobset import (
    CONTAINER,
    GROUP,
    JOBSET_NAME,
    KEY,
    NAMESPACE,
    PLURAL,
    POD_NAME,
    POD_UID,
    VERSION,
    WorkerPods,
    build_jobset,
    condition,
    describe_pods,
    exit_of,
    failed_by_itself,
    jobset_name,
    pod_index,
)
from components.common.workers.launches import RENEWED_AFTER_S, Launch
from components.common.workers.worker import WORKER_PODS

_MOST_VAIN_RESTARTS = 5
_MOST_SETS = 5  # That vanish while they are waited for.
_DELETED_WITHIN_S = 600.0
_GRACE_S = 20.0  # Kubernetes kills 30 seconds after SIGTERM.

T = TypeVar("T")
Json = dict[str, Any]


class WorkersFailed(Exception):
    """The workers did not bring the result about; the message has what is known of it."""


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long a launcher waits for what; in seconds.

    Attributes:
      look: between two looks where nothing changed.
      settle: between two looks at least.
      patience: for a cluster that does not answer, or answers that it is busy.
    """

    look: float = 30.0
    settle: float = 1.0
    patience: float = 600.0


def launch_and_wait(
    launch: Launch,
    find: Callable[[], Record | None],
    *,
    environment: Mapping[str, str],
    states: str,
    events: Events,
    pace: Pace = Pace(),  # noqa: B008
) -> Record:
    """Lets a JobSet compute, and returns the record of its result in the store.

    Args:
      launch: where the workers find what to compute.
      find: looks for the result in the store, and copies it if it is there.
      environment: the process's, with the variables above.
      states: the folder of the computation's states, relative to the data root.
      events: told what the workers are doing.
      pace: how long to wait for what.

    Raises:
      UserError: the workers ended with one; or the cluster refuses a JobSet.
      WorkersFailed: a worker failed, or they were interrupted over and over.
      Terminated: this process was told to end.
    """
    pods = WorkerPods.model_validate_json(environment[WORKER_PODS])
    owner = {"name": environment[POD_NAME], "uid": environment[POD_UID]}
    body = build_jobset(
        pods, stage=launch.stage, key=launch.key, data_root=launch.data.root, owner=owner
    )
    cluster = _Cluster(environment[NAMESPACE], jobset_name(launch.stage, launch.key), pace)
    wait = _Wait(cluster, launch, body, pods.count, states, events, pace)
    with _told_to_end():
        try:
            for _ in range(_MOST_SETS):
                completed = wait.until_ended()
                if (record := find()) is not None:
                    launch.remove()
                    return record
                if completed:
                    raise WorkersFailed(
                        f"JobSet {cluster.name}: completed, but the store has no whole result; "
                        "see the log above, and whether launcher and workers run the same image"
                    )
            raise WorkersFailed(
                f"JobSet {cluster.name}: was deleted {_MOST_SETS} times; look who deletes it"
            )
        finally:
            _remove(cluster)


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    """Lets SIGTERM raise Terminated, whatever is being waited for."""

    def end(number: int, frame: object) -> NoReturn:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove(cluster: "_Cluster") -> None:
    """Removes the JobSet as far as can be; what stays ends with its owner or its time."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        cluster.delete(patience=_GRACE_S)
    except (*_PASSING, UserError) as error:
        say(f"JobSet {cluster.name} could not be deleted: {error}", to=sys.stderr)


class _Wait:
    """Waiting for the JobSet of one launch."""

    def __init__(
        self,
        cluster: "_Cluster",
        launch: Launch,
        body: Json,
        count: int,
        states: str,
        events: Events,
        pace: Pace,
    ) -> None:
        self._cluster = cluster
        self._launch = launch
        self._body = body
        self._count = count
        self._events = events
        self._pace = pace
        self._restarts = _Restarts(launch, states)
        self._renew_at = 0.0
        self._told = ""
        self._logs: dict[str, threading.Thread] = {}

    def until_ended(self) -> bool:
        """Returns whether the JobSet completed, or else is gone; makes it first.

        Raises:
          UserError: a worker ended with one.
          WorkersFailed: a worker failed by itself, or the set did.
        """
        self._start()
        while (jobset := self._cluster.find()) is not None:
            pods = self._cluster.pods()
            self._tell(pods)
            for pod in sorted(pods, key=pod_index):
                if failed_by_itself(pod):
                    self._fail(pod)
            if condition(jobset, "Completed"):
                for log in self._logs.values():
                    log.join(self._pace.look)
                return True
            if failure := condition(jobset, "Failed"):
                raise WorkersFailed(
                    f"JobSet {self._cluster.name}: {failure.get('reason')}: "
                    f"{failure.get('message')}"
                )
            self._restarts.count(jobset)
            if time.monotonic() >= self._renew_at:
                self._launch.renew()
                self._renew_at = time.monotonic() + RENEWED_AFTER_S
            self._cluster.wait_for_change(jobset["metadata"]["resourceVersion"])
        return False

    def _start(self) -> None:
        """Makes the JobSet, or finds the one that computes the same."""
        deadline = time.monotonic() + _DELETED_WITHIN_S
        while not self._cluster.create(self._body):
            found = self._cluster.find()
            if found is None:
                continue  # It went in the meantime.
            if found["metadata"].get("annotations", {}).get(KEY) != self._launch.key:
                raise WorkersFailed(
                    f"JobSet {self._cluster.name}: is there, and computes something else; remove it"
                )
            is_going = found["metadata"].get("deletionTimestamp") is not None
            if not is_going:
                if condition(found, "Failed") is None:
                    self._events.emit("joins", jobset=self._cluster.name)
                    return
                self._cluster.delete()  # What is left of an earlier attempt.
            if time.monotonic() > deadline:
                raise WorkersFailed(
                    f"JobSet {self._cluster.name}: was deleted and is still there after "
                    f"{_DELETED_WITHIN_S:.0f} s; look at its pods and finalizers"
                )
            time.sleep(self._pace.settle)
        self._events.emit("launches", jobset=self._cluster.name, workers=self._count)

    def _tell(self, pods: list[Json]) -> None:
        """Tells what the workers are doing when that changes, and passes on the chief's log."""
        text = describe_pods(pods, self._count)
        if text != self._told:
            self._told = text
            self._events.emit("workers", pods=text)
        for pod in pods:
            name = pod["metadata"]["name"]
            is_up = pod.get("status", {}).get("phase") not in (None, "Pending", "Unknown")
            if pod_index(pod) == 0 and is_up and name not in self._logs:
                log = threading.Thread(target=self._cluster.print_log, args=(name,), daemon=True)
                self._logs[name] = log
                log.start()

    def _fail(self, pod: Json) -> NoReturn:
        end = exit_of(pod) or {}
        lines = str(end.get("message") or end.get("reason") or "").strip()
        name = pod["metadata"]["name"]
        if end.get("exitCode") == BAD_INPUT:
            errors = [line for line in lines.splitlines() if line.startswith("error: ")]
            raise UserError(errors[-1].removeprefix("error: ") if errors else lines)
        raise WorkersFailed(
            f"worker {pod_index(pod)} ({name}) ended with status {end.get('exitCode')} "
            f"({end.get('reason')}); its last lines:\n{lines}"
        )


class _Restarts:
    """Counts a JobSet's restarts between which training came no further."""

    def __init__(self, launch: Launch, states: str) -> None:
        self._launch = launch
        self._states = states
        self._seen = 0
        self._vain = 0
        self._newest = self._newest_state()

    def count(self, jobset: Mapping[str, Any]) -> None:
        """Looks whether the set was restarted.

        Raises:
          WorkersFailed: over and over, and no state was kept in between.
        """
        restarts = int(jobset.get("status", {}).get("restarts", 0))
        if restarts <= self._seen:
            self._seen = restarts  # A new set counts anew.
            return
        newest = self._newest_state()
        self._vain = self._vain + restarts - self._seen if newest == self._newest else 0
        self._seen, self._newest = restarts, newest
        if self._vain >= _MOST_VAIN_RESTARTS:
            raise WorkersFailed(
                f"JobSet {jobset['metadata']['name']}: was interrupted {self._vain} times in a "
                "row before it had kept a new state; look at its pods, their nodes, and whether "
                "the workers reach one another"
            )

    def _newest_state(self) -> str:
        blobs = self._launch.data.list(f"{self._states}/")
        return max((blob.name for blob in blobs), default="")


class _Cluster:
    """One JobSet and its pods, through the API of the cluster that this pod is in.

    Each call is tried again, with growing pauses, where the connection breaks or the cluster
    is busy.
    """

    def __init__(self, namespace: str, name: str, pace: Pace) -> None:
        configuration = kubernetes.client.Configuration()
        configuration.retries = False  # Counted here.
        kubernetes.config.load_incluster_config(client_configuration=configuration)
        api = kubernetes.client.ApiClient(configuration)
        self.name = name
        self._namespace = namespace
        self._pace = pace
        self._jobsets = kubernetes.client.CustomObjectsApi(api)
        self._pods = kubernetes.client.CoreV1Api(api)
        self._place = (GROUP, VERSION, namespace, PLURAL)

    def create(self, body: Json) -> bool:
        """Makes the JobSet; False where there is one of its name."""
        try:
            self._ask(self._jobsets.create_namespaced_custom_object, *self._place, body)
        except kubernetes.client.ApiException as error:
            if error.status == 409:
                return False
            if error.status == 404:
                raise UserError(
                    "the cluster knows no JobSet (jobset.x-k8s.io/v1alpha2); install it "
                    "(https://jobset.sigs.k8s.io), or take `workers` out of the target"
                ) from error
            raise
        return True

    def find(self) -> Json | None:
        try:
            found: Json = self._ask(
                self._jobsets.get_namespaced_custom_object, *self._place, self.name
            )
        except kubernetes.client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def pods(self) -> list[Json]:
        selector = f"{JOBSET_NAME}={self.name}"
        found = self._ask(
            self._pods.list_namespaced_pod,
            self._namespace,
            label_selector=selector,
            _preload_content=False,  # As it is: the client's models refuse what is incomplete.
        )
        pods: list[Json] = json.loads(found.data)["items"]
        return pods

    def delete(self, *, patience: float | None = None) -> None:
        """Removes the JobSet, its jobs and their pods; fine where it is gone."""
        try:
            self._ask(
                self._jobsets.delete_namespaced_custom_object,
                *self._place,
                self.name,
                propagation_policy="Foreground",
                patience=patience,
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise

    def wait_for_change(self, version: str) -> None:
        """Returns when the JobSet is another one than in a version, or after a while."""
        time.sleep(self._pace.settle)
        changes = kubernetes.watch.Watch().stream(
            self._jobsets.list_namespaced_custom_object,
            *self._place,
            field_selector=f"metadata.name={self.name}",
            resource_version=version,
            timeout_seconds=max(1, round(self._pace.look)),
            _request_timeout=(10, self._pace.look + 10),
        )
        # Too old a version, a broken line, a busy cluster: the next look asks anew, and is
        # patient for so long and no longer.
        with contextlib.suppress(*_PASSING), contextlib.closing(changes):
            next(changes, None)

    def print_log(self, pod: str) -> None:
        """Prints a pod's log until it ends; taken up again where the line broke."""
        last, tries = b"", 0
        while tries < 10:
            try:
                lines = self._pods.read_namespaced_pod_log(
                    pod,
                    self._namespace,
                    container=CONTAINER,
                    follow=True,
                    timestamps=True,
                    _preload_content=False,
                )
                with contextlib.closing(lines):
                    for line in _lines(lines):
                        stamp, _, text = line.partition(b" ")
                        if stamp > last:  # RFC 3339 with all nine digits sorts as text.
                            last, tries = stamp, 0
                            say(text.decode(errors="replace"))
                return
            except _PASSING:
                tries += 1
                time.sleep(self._pace.settle)

    def _ask(
        self,
        call: Callable[..., T],
        *arguments: Any,
        patience: float | None = None,
        **options: Any,
    ) -> T:
        pause = self._pace.settle
        deadline = time.monotonic() + (self._pace.patience if patience is None else patience)
        while True:
            try:
                return call(*arguments, _request_timeout=(10, 60), **options)
            except kubernetes.client.ApiException as error:
                if error.status in (400, 401, 403, 422):
                    raise UserError(_refusal(error, self._namespace)) from error
                if not _is_passing(error) or time.monotonic() > deadline:
                    raise
            except urllib3.exceptions.HTTPError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 30.0)


_PASSING = (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, OSError)


def _is_passing(error: kubernetes.client.ApiException) -> bool:
    status = error.status or 0
    return status == 429 or status >= 500


def _refusal(error: kubernetes.client.ApiException, namespace: str) -> str:
    said = f"Kubernetes refuses ({error.status} {error.reason}): {error.body or ''}"
    if error.status in (401, 403):
        return (
            f"{said}; the run's service account needs the role litesmith-launcher in "
            f"{namespace} (manifests/components/launcher)"
        )
    return f"{said}; correct the stage's section of the target"


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    """Yields the lines of a response as they come."""
    rest = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
