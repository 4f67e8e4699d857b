"""What a compression step is, and what it returns."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from components.common.config import Section
from components.common.documents.bundle import AnyArchitecture, Epoch, ModelInput, StepFacts
from components.common.documents.dataset import TaskName

if TYPE_CHECKING:
    from components.common.training.session import Session


@dataclasses.dataclass(frozen=True, kw_only=True)
class Student:
    """A graph that took the place of another one, as a bundle describes it.

    Attributes:
      architecture: what it is built from.
      input: how pictures are prepared for it.
      frozen_layers: those that training left as they were.
    """

    architecture: AnyArchitecture
    input: ModelInput
    frozen_layers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compressed:
    """A model after a step, and how it came to be.

    Attributes:
      model: without wrappers; its graph is that of the model before, unless `filters`,
        `length`, `input` or `student` says otherwise.
      history: the epochs of the training, counted from 1; empty for a step that trained none.
      best_epoch: the number of the epoch whose weights are kept; 0 where there is none.
      facts: what the step did.
      measurements: figures of the training for the task's record.
      filters: convolution -> how many filters it has left, where the step cut some.
      length: how many tokens of a text it sees, where the step cut some.
      input: how examples are read and prepared for it, where the step changed that.
      student: describes the graph, where it is another one.
    """

    model: Any
    history: tuple[Epoch, ...]
    best_epoch: int
    facts: StepFacts
    measurements: Mapping[str, float] = dataclasses.field(default_factory=dict)
    filters: Mapping[str, int] = dataclasses.field(default_factory=dict)
    length: int | None = None
    input: ModelInput | None = None
    student: Student | None = None


class Step(Protocol):
    """What STEPS holds: modules that look like this.

    One that begins with something beside its parent (weights of a package) has a function
    `identify` too, from its settings to what enters the key for it: names and digests.
    """

    @property
    def Settings(self) -> type[Section]:  # noqa: N802
        """What a recipe states of the step; OF_TASK in it says whose models alone it is for."""

    def apply(self, model: Any, settings: Any, session: "Session") -> Compressed:
        """Applies the step.

        Args:
          model: a flat functional model; its layers are taken over.
          settings: the step's own Settings.
          session: what it learns from, and who is told of it.

        Raises:
          Terminated: the process was told to end; the state is kept.
          UserError: the settings do not fit the model.
        """


def task_of(settings: type[Section]) -> TaskName | None:
    """Returns whose models a step is for, by its Settings; None where it takes any."""
    found: TaskName | None = getattr(settings, "OF_TASK", None)
    return found
