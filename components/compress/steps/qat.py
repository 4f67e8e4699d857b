"""Quantization-aware training: the model learns on while it rounds as its int8 file will.

What is handed on is the model without its rounding. Its weights and biases have moved to where
rounding costs little; the ranges of activations are taken anew by whatever scheme converts it, so
that every other scheme has a sound model too. The best epoch is the best one with the rounding.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from components.common.documents.bundle import StepFacts
from components.common.documents.dataset import TaskName
from components.common.training.config import Distillation, Optimizer
from components.compress.steps.learning import Learning, learn
from components.compress.steps.step import Compressed

if TYPE_CHECKING:
    from components.common.training.session import Session

KIND = "qat"


class Settings(Learning):
    """A recipe's step `qat`: weights that bear being rounded to int8; of pictures alone."""

    OF_TASK: ClassVar[TaskName] = "image"

    epochs: Annotated[int, Field(ge=1)] = 3
    optimizer: Optimizer = Optimizer(learning_rate=1e-4)
    """A higher rate leaves what the parent has learned, and the ranges that it had."""
    examples: Annotated[int, Field(ge=16, le=10_000)] = 960
    """Training examples by which activations get their ranges, before training begins."""
    distillation: Distillation | None = None
    """Learning from the parent's logits as well; {} for the defaults."""


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Trains a classifier that rounds.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: the model has a layer whose rounding can't be emulated, or training diverged.
    """
    from components.common.training.emulation import emulate_int8, measure_ranges
    from components.common.training.sampling import sample_inputs

    examples = sample_inputs(session, settings.examples)
    emulation = emulate_int8(model, measure_ranges(model, examples))
    learned = learn(emulation.model, settings, session, kind=KIND)
    emulation.write_back()
    return Compressed(
        model=model,
        history=learned.history,
        best_epoch=learned.best_epoch,
        facts=StepFacts(kind=KIND, activity="training for int8", title="train for int8"),
        measurements=learned.measurements,
    )
