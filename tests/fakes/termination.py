"""A signal that comes when a test says."""

import contextlib


class Deadline:
    """Stands for SIGTERM that comes at the n-th look of a training, counted from 0."""

    def __init__(self, look: int | None) -> None:
        self.look = look
        self.seen = 0

    @property
    def requested(self) -> bool:
        self.seen += 1
        return self.look is not None and self.seen > self.look

    def deferred(self):
        return contextlib.nullcontext()
