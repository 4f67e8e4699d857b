"""What a phase of training is: how it learns, and what from."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from components.common.tasks.inputs import Prepare
from components.common.training.config import Distillation, Optimizer
from components.common.training.examples import Examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """What one phase of training is told.

    Attributes:
      name: `head`, `fine_tune`, or the kind of a compression step.
      first_epoch: the number of its first epoch, counted from 1 through all phases.
      class_weights: how much an example of each class counts.
      eligible_from: the first epoch that may be the best one.
      distillation: how much it learns from the teacher, if from one.
      teacher: a classifier of the same inputs, made in the scope of the same strategy; None
        without distillation. It is only asked, never trained nor kept.
      rates: layer -> which share of the learning rate it has; all of it, where it is not named.
    """

    name: str
    epochs: int
    first_epoch: int
    optimizer: Optimizer
    batch_size: int
    class_weights: tuple[float, ...]
    seed: int
    label_smoothing: float = 0.0
    patience: int | None = None
    eligible_from: int = 1
    distillation: Distillation | None = None
    teacher: Any = None
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def epoch_numbers(self) -> range:
        return range(self.first_epoch, self.first_epoch + self.epochs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What a phase learns from and is judged by."""

    train: Examples
    validation: Examples
    prepare_train: Prepare
    prepare: Prepare
    """Without augmentation."""
