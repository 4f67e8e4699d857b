"""One attempt at a training that may have been interrupted before.

Training is a sequence of phases, and a phase tells the attempt after each step how its
state can be had. The attempt keeps it from time to time, at a phase's end and when the
process is told to end, and gives it back to the attempt that comes after.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.bundle import Epoch
from components.common.errors import DamagedError, UserError
from components.common.process.termination import Terminated, Termination
from components.common.training.checkpoints import Checkpoints, TrainingState
from components.common.training.strategy import Replicas

INTERVAL_S = 60.0

SHARE_OF_TIME = 0.05  # That saving may take of a training, however great its state.

_NAME_LENGTH = 128  # At most, of a state.

_Arrays = Sequence[npt.NDArray[Any]]


class Attempt:
    """Keeps a training's state and finds what an earlier attempt kept.

    Args:
      checkpoints: where states are kept; None keeps none.
      interval_s: time between two states, at least; INTERVAL_S by default.
      required_accuracy: of validation, without which the training is of no use; None where it is
        of use in any case.
      termination: whether the process was told to end.
      replicas: of several workers the chief alone keeps states, and says from which all
        go on.

    Raises:
      UserError: this worker can't read the state that the chief goes on from.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None = None,
        *,
        interval_s: float | None = None,
        required_accuracy: float | None = None,
        termination: Termination | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self.termination = termination or Termination()
        self.required_accuracy = required_accuracy
        self._checkpoints = checkpoints
        self._interval_s = INTERVAL_S if interval_s is None else interval_s
        replicas = replicas or Replicas()
        self._keeps = replicas.is_chief
        self._found = _find(checkpoints, replicas) if checkpoints is not None else None
        self._phase = 0
        self._earlier: Sequence[Epoch] = ()
        self._base: _Arrays = ()
        self._next_save = time.monotonic() + self._interval_s

    def phases(self, count: int) -> Iterator[int]:
        """Yields the numbers of the phases that are still to be run, or to be ended."""
        yield from range(0 if self._found is None else self._found.position["phase"], count)

    def enter_phase(
        self, number: int, earlier: Sequence[Epoch], base: _Arrays
    ) -> tuple[list[Epoch], _Arrays]:
        """Says that a phase begins; what is said of it comes back when it is resumed.

        Args:
          number: of the phase, from 0.
          earlier: the epochs of all phases before it.
          base: the weights that it begins with, where they can't be made anew.

        Returns:
          What was said when the phase began for the first time.
        """
        self._phase, self._earlier, self._base = number, earlier, base
        if (found := self._found_here()) is not None:
            epochs = found.position["earlier"]
            self._earlier = [Epoch.model_validate(epoch) for epoch in epochs]
            self._base = found.arrays["base"]
        return list(self._earlier), self._base

    def resume(self) -> TrainingState | None:
        """Returns the state in which the phase was left, once."""
        found, self._found = self._found_here(), None
        return found

    def look(self, capture: Callable[[], TrainingState], *, ends: bool) -> None:
        """Keeps the phase's state if it is time to, or the training must end here.

        Raises:
          Terminated: it must end, and the state is kept.
        """
        # All workers raise, though the chief alone keeps the state. They have agreed to end after
        # this step; one that went on would wait for the others at the next.
        if ends:
            self.keep(capture())
            raise Terminated
        if self._keeps and time.monotonic() >= self._next_save:
            self.keep(capture())

    def keep(self, state: TrainingState) -> None:
        """Keeps the phase's state now."""
        if self._checkpoints is None or not self._keeps:
            return
        started = time.monotonic()
        self._checkpoints.save(
            TrainingState(
                position={
                    **state.position,
                    "phase": self._phase,
                    "earlier": [epoch.model_dump(mode="json") for epoch in self._earlier],
                },
                arrays={**state.arrays, "base": self._base},
            )
        )
        ended = time.monotonic()
        # What is bounded is the time spent saving: where a state takes 6 s to write, the next one
        # comes two minutes later at the earliest.
        self._next_save = ended + max(self._interval_s, (ended - started) / SHARE_OF_TIME)

    def _found_here(self) -> TrainingState | None:
        if self._found is not None and self._found.position["phase"] == self._phase:
            return self._found
        return None


def _find(checkpoints: Checkpoints, replicas: Replicas) -> TrainingState | None:
    """Returns the state to go on from: for all workers the one that the chief found."""
    # Workers that each looked for themselves might see the data root at different moments, go on
    # from different states, and train a mixture of two models or wait for one another for ever.
    name, state = checkpoints.load() if replicas.is_chief else ("", None)
    if state is not None:
        _check_kept(name, state)
    name = _tell(replicas, name)
    if not name or replicas.is_chief:
        return state
    state = checkpoints.load_named(name)
    if state is None:
        raise UserError(
            f"the first worker goes on from the state {name}, which this one does not find; give "
            "all workers the same data root"
        )
    return state


def _check_kept(name: str, state: TrainingState) -> None:
    phase, earlier = state.position.get("phase"), state.position.get("earlier")
    if not isinstance(phase, int) or not isinstance(earlier, list) or "base" not in state.arrays:
        raise DamagedError(
            f"the state {name} below checkpoints/ of the data root is none that a training kept; "
            "remove its folder, and run again"
        )


def _tell(replicas: Replicas, text: str) -> str:
    """Returns the text that one of all workers has, where the others have none."""
    # A sum to which all but one bring zeros is a broadcast. Its bytes travel as float64, exactly.
    codes = np.zeros(_NAME_LENGTH)
    codes[: len(text)] = list(text.encode())
    return bytes(replicas.sum_over_workers(codes).astype(np.uint8)).rstrip(b"\0").decode()
