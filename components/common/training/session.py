"""What a training works with, beside its model and how it is to learn."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.common.config import Section
from components.common.documents.bundle import ModelInput
from components.common.documents.dataset import DatasetManifest
from components.common.process.events import Events
from components.common.shell.stage import Task
from components.common.storage import Storage
from components.common.tasks.inputs import prepare_inputs
from components.common.training.checkpoints import Checkpoints
from components.common.training.config import Distillation
from components.common.training.examples import Examples
from components.common.training.phases import Data
from components.common.training.resumption import Attempt
from components.common.training.tensorboard import TensorBoard, open_board


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """What a training works with.

    Attributes:
      manifest: the data set.
      spec: how examples are prepared for the model.
      train: the training split.
      validation: the validation split.
      events: is told of the progress.
      attempt: keeps the training's state, and knows that of an interrupted one.
      board: takes the curves.
      load_parent: makes the model that the task's own comes from, in the strategy's scope; None
        where there is none.
      storage: where the data set's shards lie.
      dataset: the folder of the manifest.
    """

    manifest: DatasetManifest
    spec: ModelInput
    train: Examples
    validation: Examples
    events: Events
    attempt: Attempt = dataclasses.field(default_factory=Attempt)
    board: TensorBoard | None = None
    load_parent: Callable[[], Any] | None = None
    storage: Storage | None = None
    dataset: Path | None = None

    @property
    def examples_per_class(self) -> tuple[int, ...]:
        return self.manifest.splits["train"].examples_per_class

    def data(self, augment: Section | None) -> Data:
        """Returns both splits with how they are prepared."""
        return Data(
            train=self.train,
            validation=self.validation,
            prepare_train=prepare_inputs(self.spec, augment),
            prepare=prepare_inputs(self.spec),
        )

    def teacher(self, distillation: Distillation | None) -> Any:
        """Returns whom a phase's model learns from: the parent, or None without distillation."""
        if distillation is None:
            return None
        assert self.load_parent is not None, "the task's model has no parent"
        return self.load_parent()

    def steps_per_epoch(self, batch_size: int) -> int:
        return -(-len(self.train) // batch_size)


def open_session(
    task: Task[Any],
    manifest: DatasetManifest,
    spec: ModelInput,
    splits: tuple[Examples, Examples],
    *,
    part: str = "",
    load_parent: Callable[[], Any] | None = None,
    required_accuracy: float | None = None,
) -> Session:
    """Returns what a task trains with; within the scope of its strategy.

    Args:
      task: the task.
      manifest: the data set.
      spec: how examples are prepared for the model.
      splits: the examples for training and for validation.
      part: names one of several trainings of the task, which has a state and curves of its own.
      load_parent: see `Session`.
      required_accuracy: see `Attempt`.
    """
    storage, (train, validation) = task.context.data(), splits
    folder = f"{task.checkpoint_folder}/{part}".rstrip("/")
    return Session(
        manifest=manifest,
        spec=spec,
        train=train,
        validation=validation,
        events=task.events,
        attempt=Attempt(Checkpoints(storage, folder), required_accuracy=required_accuracy),
        board=open_board(task, storage, part=part),
        load_parent=load_parent,
        storage=storage,
        dataset=task.inputs["dataset"],
    )
