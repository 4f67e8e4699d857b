"""Shards made by this machine's own processes, where no Beam runner is named.

Beam's local runners import Beam in each of their processes, three seconds of a core, and
divide the shards among these beforehand, however long each takes. Plain processes begin
at once, and whichever is free takes the next shard.
"""

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from components.common.process.events import Events
from components.common.process.machine import usable_cores
from components.preprocess.tasks import ShardTask
from components.preprocess.writer import Effort, ShardWriter


def run_pool(
    tasks: Sequence[ShardTask], writer: ShardWriter, events: Events, *, unit: str
) -> Effort:
    """Makes the shards of all tasks, in their order, as many at once as there are cores.

    Args:
      tasks: at least one; those that take longest first.
      writer: makes one shard.
      events: told of the progress.
      unit: what the members become: `pictures`.
    """
    effort, total = Effort(), sum(len(task.members) for task in tasks)
    processes = min(len(tasks), usable_cores())
    # One queue for all: with the longest shards first, the short ones even out the end, where
    # otherwise one core would work on a late long shard while the others idle.
    pool = ProcessPoolExecutor(processes, initializer=_end_without, initargs=(os.getpid(),))
    try:
        for made in as_completed([pool.submit(writer.write, task) for task in tasks]):
            effort += made.result()
            events.progress(effort.members, total, unit)
    finally:
        pool.shutdown(cancel_futures=True)
    return effort


def _end_without(parent: int) -> None:
    """Ends this process when the one that it works for is gone, killed perhaps."""

    def watch() -> None:
        # A driver that is killed runs no `finally`, and its workers would wait for tasks for ever.
        # The system then gives them another parent, on Linux and on macOS alike.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
