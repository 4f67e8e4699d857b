"""What a running task tells: started, progress, warning, finished, failed.

On a laptop each event is one line of JSON appended to `events.jsonl`, which the runner
turns into a live view; in a pod it is one plain line on standard output.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, TypeVar

from components.common.words.terminal import say

T = TypeVar("T")

_INTERVAL_S = 0.5  # Between two progress events of a task: enough for the eye.
_PLAIN_INTERVAL_S = 15.0  # In a pod's log, which is kept.


class Events:
    """Reports on one task.

    Args:
      task: the task's name, `finetune` or `quantize[pruned-int8]`.
      path: the file to append to; None prints plain lines.
    """

    def __init__(self, task: str, path: Path | None = None) -> None:
        self._task = task
        self._path = path
        self._last = 0.0

    def emit(self, event: str, **fields: Any) -> None:
        if self._path is None:
            shown = " ".join(f"{name}={value}" for name, value in fields.items())
            say(f"{self._task}: {event} {shown}".rstrip())
            return
        told = {"time": time.time(), "pid": os.getpid(), "task": self._task, "event": event}
        line = json.dumps({**told, **fields})
        # One write of less than a page to a file opened for appending is not torn.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode() + b"\n")
        finally:
            os.close(handle)

    def progress(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """Reports how far the task is; calls that come too fast are dropped.

        Args:
          done: how many units are done.
          total: how many there are, None where that is unknown.
          unit: what is counted, in the plural: `pictures`, `steps`.
          note: a few words to show beside it, such as `loss 0.31`.
        """
        now = time.monotonic()
        interval = _INTERVAL_S if self._path is not None else _PLAIN_INTERVAL_S
        if now - self._last >= interval or done == total:
            self._last = now
            self.emit("progress", done=done, total=total, unit=unit, note=note)

    def warn(self, message: str) -> None:
        """Tells what a person should know though the task goes on, in its log too."""
        say(f"warn: {message}")
        if self._path is not None:
            self.emit("warning", message=message)

    def track(self, items: Iterable[T], unit: str, *, total: int | None = None) -> Iterator[T]:
        """Yields the items and reports progress after each.

        Args:
          items: to go through.
          unit: what they are.
          total: how many, where they don't say so themselves.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items, start=1):
            yield item
            self.progress(done, total, unit)
