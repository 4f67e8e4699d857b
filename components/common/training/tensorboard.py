"""What TensorBoard shows of a training: its curves, and on request a profile.

A point of each curve stands for an epoch. Every epoch is an event file of its own, named by
its number and written whole: so a training that goes on, in this run's folder or another's,
adds what is missing and nothing twice, and a bucket is written as any folder is.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.common.data.records import write_record
from components.common.documents.bundle import Epoch
from components.common.keras import tf
from components.common.shell.stage import Task
from components.common.storage import Storage

_WARM_UP_STEPS = 5  # They trace, and fill caches: a profile of them tells little.


class TensorBoard:
    """The log folder of one training.

    Args:
      storage: the data root.
      folder: relative to it.
      profile_steps: how many steps of each phase to profile.
    """

    def __init__(self, storage: Storage, folder: str, *, profile_steps: int = 0) -> None:
        self._storage = storage
        self._folder = folder
        self._profile_steps = profile_steps

    def recall(self, epochs: Iterable[Epoch]) -> None:
        """Adds epochs of an earlier attempt, where it did not add them here itself."""
        present = {blob.name for blob in self._storage.list(f"{self._folder}/")}
        for epoch in epochs:
            if self._name(epoch) not in present:
                self.add(epoch, {})

    def add(self, epoch: Epoch, figures: Mapping[str, float]) -> None:
        """Adds a point to each curve: of what the epoch says, and of other figures."""
        said = epoch.model_dump(exclude={"phase", "epoch"}, exclude_none=True)
        buffer, now = io.BytesIO(), time.time()
        summary = tf.compat.v1.Summary()
        for tag, value in {**said, **figures}.items():
            summary.value.add(tag=tag, simple_value=value)
        for event in (
            tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2"),
            tf.compat.v1.Event(wall_time=now, step=epoch.epoch, summary=summary),
        ):
            write_record(buffer, event.SerializeToString())
        self._storage.write(self._name(epoch), buffer.getvalue())

    @contextlib.contextmanager
    def profiled(self) -> Iterator[Callable[[int], None]]:
        """Profiles a phase's first steps, if asked to; yields what to tell of steps taken."""
        if not self._profile_steps:
            yield lambda count: None
            return
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as profile:
            steps, first = 0, None

            def after_steps(count: int) -> None:
                nonlocal steps, first
                steps += count
                if first is None and steps >= _WARM_UP_STEPS:
                    first = steps
                    profile.enter_context(self._profile(Path(folder)))
                elif first is not None and steps >= first + self._profile_steps:
                    profile.close()

            yield after_steps

    @contextlib.contextmanager
    def _profile(self, folder: Path) -> Iterator[None]:
        with tf.profiler.experimental.Profile(str(folder)):
            yield
        self._storage.upload(folder, self._folder)

    def _name(self, epoch: Epoch) -> str:
        # TensorBoard reads the files in the order of their names.
        return f"{self._folder}/events.out.tfevents.{epoch.epoch:010d}.litesmith"


def open_board(task: Task[Any], storage: Storage, *, part: str = "") -> TensorBoard | None:
    """Returns a task's log folder, in its run's; none for workers other than the chief.

    Args:
      task: the task.
      storage: the data root.
      part: names one of several trainings of the task, each with a folder of its own below.
    """
    if not task.worker.is_chief:
        return None
    folder = f"{task.tensorboard_folder}/{part}".rstrip("/")
    return TensorBoard(storage, folder, profile_steps=task.profile_steps)
