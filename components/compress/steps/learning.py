"""How a model learns after a step gave it another graph."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from components.common.config import Section
from components.common.documents.bundle import Epoch
from components.common.tasks.image.config import Augment
from components.common.training.config import (
    BatchSize,
    ClassWeights,
    Distillation,
    LabelSmoothing,
    Optimizer,
)

if TYPE_CHECKING:
    from components.common.training.session import Session


class Learning(Section):
    """What steps state alike of how a model learns.

    What is not stated of augment, global_batch_size, label_smoothing and class_weights is as in
    `train`.
    """

    LEARNED_ALIKE: ClassVar[frozenset[str]] = frozenset(
        {"augment", "global_batch_size", "label_smoothing", "class_weights"}
    )
    """The fields that the recipe fills in."""

    if TYPE_CHECKING:  # Fields of every step, each with what it begins with.
        epochs: int
        optimizer: Optimizer
        distillation: Distillation | None

    augment: Augment = Augment()
    global_batch_size: BatchSize = 32
    label_smoothing: LabelSmoothing = 0.0
    class_weights: ClassWeights = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


@dataclasses.dataclass(frozen=True)
class Learned:
    """What came of it; the model is left with the weights of the best epoch."""

    history: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    measurements: Mapping[str, float] = dataclasses.field(default_factory=dict)


def learn(
    model: Any,
    settings: Learning,
    session: "Session",
    *,
    kind: str,
) -> Learned:
    """Trains the trainable layers of a model for a step; of no epochs it learns nothing.

    Args:
      model: in the scope of the session's strategy.
      settings: the step's.
      session: what it learns from, its parent among that, and who is told of it.
      kind: the step's, which names its epochs.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: training diverged.
    """
    from components.common.training.best_epoch import best_epoch
    from components.common.training.clock import Clock
    from components.common.training.loop import class_weights, run_phase
    from components.common.training.phases import Phase

    if not settings.epochs:
        return Learned()
    steps = session.steps_per_epoch(settings.global_batch_size)
    clock = Clock(session.events, total_steps=steps * settings.epochs, board=session.board)
    phase = Phase(
        name=kind,
        epochs=settings.epochs,
        first_epoch=1,
        optimizer=settings.optimizer,
        batch_size=settings.global_batch_size,
        class_weights=class_weights(settings.class_weights, session.examples_per_class),
        seed=settings.seed,
        label_smoothing=settings.label_smoothing,
        distillation=settings.distillation,
        teacher=session.teacher(settings.distillation),
    )
    data = session.data(settings.augment)
    history = run_phase(model, phase, data, clock, attempt=session.attempt)
    return Learned(
        history=tuple(history),
        best_epoch=best_epoch(history, examples=len(session.validation)).epoch,
        measurements=clock.measurements(),
    )
