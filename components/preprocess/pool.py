"""This machine's processes that make shards, for Beam's pipeline to wait for.

Beam's own worker processes would each import Beam first, three seconds of a core, and
would divide the shards among themselves beforehand, however long each takes. These are
plain processes, and begin while this one is still importing Beam.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, Self

from components.common.process.events import Events
from components.common.process.machine import usable_cores
from components.preprocess.ledger import ShardRecord
from components.preprocess.tasks import ShardTask
from components.preprocess.writer import ShardWriter


class ShardPool:
    """Makes the shards of some tasks, in their order, as many at once as there are cores.

    Entered, it begins. It travels with a Beam pipeline, but only within this process.

    Args:
      tasks: those that take longest first.
      writer: makes one shard.
      events: told of the progress.
    """

    def __init__(self, tasks: Sequence[ShardTask], writer: ShardWriter, events: Events) -> None:
        self._tasks, self._writer, self._events = tasks, writer, events
        self._made: Mapping[str, Future[ShardRecord]] = {}
        self._pictures = 0

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(
            min(len(self._tasks), usable_cores()), initializer=_end_without, initargs=(os.getpid(),)
        )
        self._made = {
            task.path: self._pool.submit(self._writer.write, task) for task in self._tasks
        }
        for made in self._made.values():
            made.add_done_callback(self._tell)
        _entered[id(self)] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del _entered[id(self)]
        self._pool.shutdown(cancel_futures=True)

    def wait(self, task: ShardTask) -> ShardRecord:
        """Returns the record of a task's shard when it is made."""
        return self._made[task.path].result()

    def __reduce__(self) -> tuple[Callable[[int], Self], tuple[int]]:
        return _entered_here, (id(self),)

    def _tell(self, made: Future[ShardRecord]) -> None:
        if not made.cancelled() and made.exception() is None:
            self._pictures += made.result().members
            total = sum(len(task.members) for task in self._tasks)
            self._events.progress(self._pictures, total, "pictures")


_entered: dict[int, Any] = {}


def _entered_here(number: int) -> Any:
    return _entered[number]


def _end_without(parent: int) -> None:
    """Ends this process when the one that it works for is gone, killed perhaps."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
