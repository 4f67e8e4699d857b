"""Waits for the JobSet of one launch, tells what its pods do, and judges what failed."""

import threading
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from components.common.errors import BAD_INPUT, UserError
from components.common.process.events import Events
from components.common.workers.jobset import (
    KEY,
    condition,
    describe_pods,
    exit_of,
    failed_by_itself,
    pod_index,
)
from components.common.workers.jobset_api import JobSetApi, Json, Pace
from components.common.workers.launches import RENEWED_AFTER_S, Launch

_MOST_VAIN_RESTARTS = 5
_DELETED_WITHIN_S = 600.0


class WorkersFailed(Exception):
    """The workers did not bring the result about; the message has what is known of it."""


class Wait:
    """Waiting for the JobSet of one launch."""

    def __init__(
        self,
        cluster: JobSetApi,
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
            # The pods are judged before their set: of a set that failed, Kubernetes says only that
            # a job did; the cause is with the pod that failed by itself. By index, so that of
            # several such pods every launcher names the same one.
            for pod in sorted(pods, key=pod_index):
                if failed_by_itself(pod):
                    self._fail(pod)
            if condition(jobset, "Completed"):
                # The set may be over before the chief's last lines are here. They are waited for,
                # but not for long: a log that hangs must not hold up a result.
                for log in self._logs.values():
                    log.join(self._pace.look)
                return True
            if failure := condition(jobset, "Failed"):
                raise WorkersFailed(
                    f"JobSet {self._cluster.name}: {failure.get('reason')}: "
                    f"{failure.get('message')}"
                )
            self._restarts.count(jobset)
            # Workers whose launcher was killed outright would compute for nobody. They look for
            # this sign, and end when it has not been given for a while.
            if time.monotonic() >= self._renew_at:
                self._launch.renew()
                self._renew_at = time.monotonic() + RENEWED_AFTER_S
            self._cluster.wait_for_change(jobset["metadata"]["resourceVersion"])
        return False

    def _start(self) -> None:
        """Makes the JobSet, or finds the one that computes the same."""
        deadline = time.monotonic() + _DELETED_WITHIN_S
        # Making the set is what decides: of several launchers that try at once, Kubernetes lets one
        # take the name, and the others find what that one made. To look first and make afterwards
        # would leave a gap for two.
        while not self._cluster.create(self._body):
            found = self._cluster.find()
            if found is None:
                continue  # It went in the meantime.
            # The name holds the first digits of the key; the annotation has all of them.
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
        # Pods on spot nodes may be taken away a hundred times in a long training, which is fine as
        # long as each stretch ends further on. So only restarts with the same newest state count:
        #
        #   state 3, restart, state 4, restart, restart, restart ...
        #               0                 0        1        2     of _MOST_VAIN_RESTARTS
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
