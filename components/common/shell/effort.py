"""What a computation takes: time and memory, for its record."""

import time
from datetime import UTC, datetime

from components.common.process.peak_memory import (
    childrens_peak_memory_bytes,
    forget_peak,
    peak_memory_bytes,
)


class Effort:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._clock = time.monotonic()
        # A process may run two stages, one after the other: each is told of its own memory.
        forget_peak()
        self._children_before = childrens_peak_memory_bytes()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._clock

    @property
    def peak_memory_bytes(self) -> int:
        """The process's peak, or that of a child which ended since and held more."""
        children = childrens_peak_memory_bytes()
        return max(peak_memory_bytes(), children if children > self._children_before else 0)
