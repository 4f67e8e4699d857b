"""A task's side of the local runner: where it tells of itself, and how long it lives.

The runner starts tasks through KFP, which hands over nothing but arguments. So it says in
environment variables where events and logs go, and whose child a task is.
"""

import contextlib
import io
import os
import sys
import threading
import time
from pathlib import Path

from components.common.process.events import Events

EVENTS_DIRECTORY = "LITESMITH_EVENTS"
"""Set by the local runner: the folder for events.jsonl and each task's log."""

DRIVER_PID = "LITESMITH_DRIVER_PID"
"""Set by the local runner: a task ends when this process is gone."""


def connect(name: str) -> Events:
    """Joins the local runner, if there is one: events, the task's own log, its life."""
    folder = os.environ.get(EVENTS_DIRECTORY)
    if folder is None:
        return Events(name)
    log = os.open(Path(folder, f"{name}.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A log is read while it is written, and after a task was killed.
        sys.stdout.reconfigure(line_buffering=True)
    if driver := os.environ.get(DRIVER_PID):
        threading.Thread(target=_end_with, args=(int(driver),), daemon=True).start()
    return Events(name, Path(folder, "events.jsonl"))


def _end_with(driver: int) -> None:
    """Ends this process when the driver is gone, so that a killed run leaves nothing behind."""
    while True:
        time.sleep(0.5)
        with contextlib.suppress(PermissionError):
            try:
                os.kill(driver, 0)
            except ProcessLookupError:
                os._exit(1)
