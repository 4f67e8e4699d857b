"""Errors whose text is meant for the person who runs litesmith."""

import sys

from components.common.words.terminal import say


class UserError(Exception):
    """A mistake that the user can mend: bad input, a refused value, a missing file.

    The message names the file, key or value, what was expected, and what to do. Entry
    points print it without a traceback and exit with `BAD_INPUT`.
    """


class DamagedError(UserError):
    """A file that is not as litesmith writes it: cut, changed, of another version, too large."""


class GivenUp(Exception):
    """A training can't come to what was asked of it; its state is kept for whoever asks for less.

    Attributes:
      training_s: what it took so far.
    """

    def __init__(self, message: str, *, training_s: float) -> None:
        super().__init__(message)
        self.training_s = training_s


def pass_over(error: Exception) -> None:
    """Says that a damaged file is left out of what is shown or gathered."""
    say(f"passed over: {error}", to=sys.stderr)


BAD_INPUT = 2  # The exit status of a process that ended with a UserError.
