"""Shards made by this machine's own processes, where no Beam runner is named.

Beam's local runners import Beam in each of their processes, three seconds of a core, and
divide the shards among these beforehand, however long each takes. Plain processes begin
at once, and whichever is free takes the next shard.
"""

import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import Any

from components.common.process.events import Events
from components.common.process.machine import usable_cores
from components.common.tasks.making import open_maker
from components.preprocess.orders import Order
from components.preprocess.writer import Effort, ShardWriter


def run_pool(orders: Sequence[Order], writer: ShardWriter, events: Events, *, unit: str) -> Effort:
    """Makes the shards of all orders, in their turn, as many at once as there are cores.

    Args:
      orders: at least one; those that take longest first.
      writer: makes one shard.
      events: told of the progress, member by member.
      unit: what the members become: `pictures`.
    """
    effort, total = Effort(), sum(order.members for order in orders)
    processes = min(len(orders), usable_cores())
    done = multiprocessing.Value("q")
    # So that what makes examples is imported once, where processes are forked, and not by each.
    open_maker(writer.plan, with_statistics=False)
    # One queue for all: with the longest shards first, the short ones even out the end, where
    # otherwise one core would work on a late long shard while the others idle.
    pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(os.getpid(), done))
    # A collection of garbage writes to every object there is, and each worker would come to have a
    # copy of the listing.
    gc.freeze()
    try:
        waiting = {pool.submit(_write, writer, order) for order in orders}
        while waiting:
            finished, waiting = wait(waiting, _LOOK_S, return_when=FIRST_COMPLETED)
            for made in finished:
                effort += made.result()
            events.progress(done.value, total, unit)
    finally:
        pool.shutdown(cancel_futures=True)
        gc.unfreeze()
    return effort


_LOOK_S = 0.5
"""Between two looks at how far the workers are."""

_done: Any = None
"""In a worker: how many members are done, by all of them."""


def _begin(parent: int, done: Any) -> None:
    global _done
    _done = done
    _end_without(parent)


def _write(writer: ShardWriter, order: Order) -> Effort:
    return writer.write(order, _count)


def _count(members: int) -> None:
    with _done.get_lock():
        _done.value += members


def _end_without(parent: int) -> None:
    """Ends this process when the one that it works for is gone, killed perhaps."""

    def watch() -> None:
        # A driver that is killed runs no `finally`, and its workers would wait for tasks for ever.
        # The system then gives them another parent, on Linux and on macOS alike.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
