"""Length: an encoder that sees a text's first tokens alone, and does as much less work.

The graph cuts an example itself, so that a device gives it the same text as its parent. Then it
goes on training, from its parent's answers too.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from components.common.documents.bundle import StepFacts
from components.common.documents.dataset import TaskName
from components.common.errors import UserError
from components.common.training.config import Distillation, Optimizer
from components.compress.steps.learning import Learning, learn
from components.compress.steps.step import Compressed

if TYPE_CHECKING:
    from components.common.training.session import Session

KIND = "length"


class Settings(Learning):
    """A recipe's step `length`: of recipes for texts alone."""

    OF_TASK: ClassVar[TaskName] = "text"

    tokens: Annotated[int, Field(ge=2, le=8192)] = 32
    """How many of a text the encoder sees, [CLS] and [SEP] among them."""
    epochs: Annotated[int, Field(ge=0)] = 1
    """Of training after the cut; 0 for none."""
    optimizer: Optimizer = Optimizer(learning_rate=5e-5)
    distillation: Distillation | None = Distillation()
    """Learning from the parent's logits as well; null for the labels alone."""


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Shortens what a text classifier sees.

    Raises:
      Terminated: the process was told to end; the state is kept.
      UserError: it sees no more tokens than that, or is no text classifier.
    """
    from components.common.tasks.text.models.resizing import shorten_classifier

    if session.spec.task != "text":
        raise UserError(f"{KIND}: only texts are cut to fewer tokens; remove the step")
    short = shorten_classifier(model, settings.tokens)
    learned = learn(short, settings, session, kind=KIND)
    return Compressed(
        model=short,
        history=learned.history,
        best_epoch=learned.best_epoch,
        facts=StepFacts(kind=KIND, activity="shortening", title=f"see {settings.tokens} tokens"),
        measurements=learned.measurements,
        length=settings.tokens,
    )
