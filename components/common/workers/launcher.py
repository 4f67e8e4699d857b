"""Lets workers compute what a task would have computed, and waits for them.

A launcher looks at what there is, acts, and waits until the JobSet changes or half a minute has
gone by; then it looks again. So it does not matter what it missed: a watch that broke, an answer
that was lost, another launcher that started or removed the same set. Whoever comes to wait for a
computation that is under way waits for the set that computes it.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from components.common.documents.record import Record
from components.common.errors import UserError
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.words.terminal import say
from components.common.workers.jobset import (
    NAMESPACE,
    POD_NAME,
    POD_UID,
    WorkerPods,
    build_jobset,
    jobset_name,
)
from components.common.workers.jobset_api import PASSING, JobSetApi, Pace
from components.common.workers.launches import Launch
from components.common.workers.waiting import Wait, WorkersFailed
from components.common.workers.worker import WORKER_PODS

_MOST_SETS = 5  # That vanish while they are waited for.
_GRACE_S = 20.0  # Kubernetes kills 30 seconds after SIGTERM.


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
    cluster = JobSetApi(environment[NAMESPACE], jobset_name(launch.stage, launch.key), pace)
    wait = Wait(cluster, launch, body, pods.count, states, events, pace)
    with _told_to_end():
        try:
            # The store says whether the work is done, not the JobSet: another launcher may have
            # removed a set that had completed, and a whole result is right whoever put it there. A
            # set that vanished without one is made again, but only so often, lest one launcher and
            # whoever deletes its sets go on for ever.
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
    # Raised, not noted: the process may be in the middle of a request that waits for a change.
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove(cluster: JobSetApi) -> None:
    """Removes the JobSet as far as can be; what stays ends with its owner or its time."""
    if threading.current_thread() is threading.main_thread():
        # A further SIGTERM would cut the removal short, and the workers would compute for nobody.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        cluster.delete(patience=_GRACE_S)
    except (*PASSING, UserError) as error:
        say(f"JobSet {cluster.name} could not be deleted: {error}", to=sys.stderr)
