"""One JobSet and its pods, through Kubernetes' API: of a stage, this alone talks to a cluster."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import kubernetes
import urllib3

from components.common.errors import UserError
from components.common.words.terminal import say
from components.common.workers.jobset import (
    CONTAINER,
    GROUP,
    JOBSET_NAME,
    PLURAL,
    VERSION,
)

T = TypeVar("T")

Json = dict[str, Any]


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


class JobSetApi:
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
            # Somebody else's, or our own, of which the answer was lost: the caller takes either.
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
                # The name is free only when jobs and pods are gone, so that no new set trains
                # beside the pods of the old one.
                propagation_policy="Foreground",
                patience=patience,
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise

    def wait_for_change(self, version: str) -> None:
        """Returns when the JobSet is another one than in a version, or after a while."""
        # While pods come up, a set may change many times a second: one look serves for all of it.
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
        with contextlib.suppress(*PASSING), contextlib.closing(changes):
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
            except PASSING:
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


PASSING = (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, OSError)


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
