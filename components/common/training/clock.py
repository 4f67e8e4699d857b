"""How fast training goes, and how long it waits."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from components.common.documents.bundle import Epoch
from components.common.keras import tf
from components.common.process.events import Events
from components.common.training.tensorboard import TensorBoard


@dataclasses.dataclass
class Clock:
    """Counts a phase's steps for the live view and the curves, and where their time goes.

    Attributes:
      total_steps: of the phase.
      unit: what the live view calls them.
      besides_s: time that training took besides these steps, in the phases before.
    """

    events: Events
    total_steps: int
    board: TensorBoard | None = None
    unit: str = "steps"
    besides_s: float = 0.0
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    waiting_s: float = 0.0
    note: str = ""
    _lap: tuple[int, int, float, float] = (0, 0, 0.0, 0.0)

    def step(self, examples: int) -> None:
        self.steps += 1
        self.examples += examples
        self.events.progress(self.steps, self.total_steps, self.unit, self.note)

    @contextlib.contextmanager
    def runs(self) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds += time.monotonic() - started

    def profiled(self) -> contextlib.AbstractContextManager[Callable[[int], None]]:
        """Profiles a phase, if asked to; the context is what to tell of steps taken."""
        return self.board.profiled() if self.board else contextlib.nullcontext(lambda count: None)

    def recall(self, epochs: Sequence[Epoch]) -> None:
        """Shows the epochs of an earlier attempt; what comes next is measured from here."""
        self._lap = self._counts()
        if self.board is not None:
            self.board.recall(epochs)

    def end_epoch(self, epoch: Epoch) -> None:
        """Shows an epoch, with the speed of its own steps."""
        before, self._lap = self._lap, self._counts()
        if self.board is not None:
            counts = (now - then for now, then in zip(self._lap, before, strict=True))
            self.board.add(epoch, _speed(*counts))

    def measurements(self) -> dict[str, float]:
        return {"training_s": self.training_s, **_speed(*self._counts()), **_device_memory()}

    @property
    def training_s(self) -> float:
        return self.besides_s + self.seconds

    def _counts(self) -> tuple[int, int, float, float]:
        return self.steps, self.examples, self.seconds, self.waiting_s


def _speed(steps: float, examples: float, seconds: float, waiting_s: float) -> dict[str, float]:
    seconds = max(seconds, 1e-9)
    return {
        "examples_per_s": examples / seconds,
        "step_ms": 1000 * seconds / max(steps, 1),
        "input_wait_share": waiting_s / seconds,
    }


def _device_memory() -> dict[str, float]:
    """Returns the most that one of the GPUs has held, where there are any."""
    gpus = tf.config.list_logical_devices("GPU")
    peaks = [
        tf.config.experimental.get_memory_info(gpu.name.removeprefix("/device:"))["peak"]
        for gpu in gpus
    ]
    return {"gpu_memory_bytes": float(max(peaks))} if peaks else {}
