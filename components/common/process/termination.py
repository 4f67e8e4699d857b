"""SIGTERM, put off until what would be lost is saved.

A pod that is preempted, evicted or cancelled, and a run that is stopped, get SIGTERM and
some time. Work that can save itself puts the signal off, looks whether it came, saves and
ends with `Terminated`.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

TERMINATED = 143
"""The exit status of a process that ended because of SIGTERM, as shells have it too: it
lost nothing that mattered, and the same work is to be started again."""

_GRACE_S = 25.0  # Kubernetes kills after 30, unless a pod states otherwise.


class Terminated(SystemExit):
    """The process was told to end, and has saved what it had."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)

    def __str__(self) -> str:
        return "it was told to end (SIGTERM); run again, and it goes on from where it stood"


class Termination:
    """Whether this process was told to end."""

    def __init__(self) -> None:
        self.requested = False

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Puts SIGTERM off: it sets `requested`, and the process has a bounded time left."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Only a process's main thread may handle its signals.
            return
        before = signal.signal(signal.SIGTERM, lambda number, frame: self._request())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
        if self.requested:
            raise Terminated

    def _request(self) -> None:
        if not self.requested:
            self.requested = True
            deadline = threading.Timer(_GRACE_S, os._exit, [TERMINATED])
            deadline.daemon = True
            deadline.start()
