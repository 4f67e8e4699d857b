"""How far a phase is: its epochs, its sums, and the state that it goes on from."""

import math
from typing import Any

import numpy.typing as npt

from components.common.documents.bundle import Epoch
from components.common.errors import DamagedError, UserError
from components.common.training.best_epoch import best_epoch
from components.common.training.checkpoints import TrainingState
from components.common.training.clock import Clock
from components.common.training.phases import Phase
from components.common.training.strategy import (
    read_variables,
    write_variables,
)
from components.common.training.trainer import Totals, Trainer
from components.common.words.figures import percent


class Course:
    """Where a phase stands: between two steps, or between two epochs."""

    def __init__(self, trainer: "Trainer", phase: Phase, clock: Clock, judged_on: int) -> None:
        self.trainer, self.phase, self.clock = trainer, phase, clock
        self.judged_on = judged_on
        self.epoch = phase.first_epoch
        self.step = 0  # Of the epoch: how many are done.
        self.ended = False
        self.history: list[Epoch] = []
        self.totals = Totals()
        self._best: tuple[Epoch, list[npt.NDArray[Any]]] | None = None

    @property
    def eligible(self) -> list[Epoch]:
        """The epochs so far of which one may be the best."""
        return [epoch for epoch in self.history if epoch.epoch >= self.phase.eligible_from]

    def end_epoch(self, judged: Totals, sparsity: float | None) -> None:
        """Records the epoch that was just judged, and goes on to the next, if there is one."""
        phase, (loss, accuracy) = self.phase, self.totals.means()
        validation_loss, validation_accuracy = judged.means()
        check_finite(self.epoch, loss, validation_loss)
        epoch = Epoch(
            phase=phase.name,
            epoch=self.epoch,
            learning_rate=self.trainer.learning_rate,
            loss=loss,
            accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            sparsity=sparsity,
        )
        self.history.append(epoch)
        self.clock.end_epoch(epoch)
        self.clock.note = f"epoch {epoch.epoch}, validation accuracy {percent(validation_accuracy)}"
        eligible, stale = self.eligible, False
        if eligible:
            if best_epoch(eligible, examples=self.judged_on) is epoch:
                self._best = (epoch, read_variables(self.trainer.model.weights))
            highest = max(eligible, key=lambda e: (e.validation_accuracy, -e.validation_loss))
            stale = epoch.epoch - highest.epoch >= (phase.patience or math.inf)
        self.ended = stale or epoch.epoch == phase.epoch_numbers[-1]
        self.epoch, self.step, self.totals = epoch.epoch + 1, 0, Totals()

    def keep_best(self) -> None:
        if self._best is not None:
            write_variables(self.trainer.model.weights, self._best[1])

    def capture(self) -> TrainingState:
        """Returns everything that `restore` needs to go on from here."""
        best, clock = self._best, self.clock
        return TrainingState(
            position={
                "epoch": self.epoch,
                "step": self.step,
                "ended": self.ended,
                "history": [epoch.model_dump(mode="json") for epoch in self.history],
                "best": best[0].epoch if best is not None else None,
                "clock": {name: getattr(clock, name) for name in _KEPT_OF_CLOCK},
            },
            arrays={
                "model": read_variables(self.trainer.model.weights),
                "optimizer": read_variables(self.trainer.optimizer_variables),
                "totals": [self.totals.settle()],
                "best": best[1] if best is not None else [],
            },
        )

    def restore(self, state: TrainingState) -> None:
        """Puts a kept state back.

        Raises:
          DamagedError: it is none of this training.
        """
        try:
            self._restore(state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DamagedError(
                f"what an earlier attempt at this training kept does not fit it ({error}); remove "
                "its folder below checkpoints/ of the data root, and run again"
            ) from error

    def _restore(self, state: TrainingState) -> None:
        position, arrays = state.position, state.arrays
        self.epoch, self.step = position["epoch"], position["step"]
        self.ended = position["ended"]
        self.history = [Epoch.model_validate(epoch) for epoch in position["history"]]
        self.totals.settled = arrays["totals"][0]
        best = position["best"]
        if best is not None:
            epoch = self.history[best - self.phase.first_epoch]
            self._best = (epoch, list(arrays["best"]))
        for name in _KEPT_OF_CLOCK:
            setattr(self.clock, name, position["clock"][name])
        write_variables(self.trainer.model.weights, arrays["model"])
        write_variables(self.trainer.optimizer_variables, arrays["optimizer"])


_KEPT_OF_CLOCK = ("steps", "examples", "seconds", "waiting_s", "besides_s")


def check_finite(epoch: int, *losses: float) -> None:
    if not all(map(math.isfinite, losses)):
        raise UserError(
            f"training diverged: the loss of epoch {epoch} is not finite; lower "
            "optimizer.learning_rate, or give it optimizer.warmup_epochs"
        )
