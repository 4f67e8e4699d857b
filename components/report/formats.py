"""Figures of the page: the common words, in finer type; each function is a filter of its template.

A browser may break no line within a figure, and a minus is no hyphen: so the spaces are
no-break ones here, and the minus signs real ones.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec

from components.common.words import figures

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"

P = ParamSpec("P")


def _typeset(word: Callable[P, str]) -> Callable[P, str]:
    @functools.wraps(word)
    def typeset(*args: P.args, **kwargs: P.kwargs) -> str:
        return word(*args, **kwargs).replace(" ", SPACE).replace("-", MINUS)

    return typeset


milliseconds = _typeset(figures.milliseconds)
percent = _typeset(figures.percent)
points = _typeset(figures.signed_points)
seconds = _typeset(figures.seconds)
significant = _typeset(figures.significant)
size = _typeset(figures.size)


def plain_points(share: float) -> str:
    """Returns a margin in percentage points, without a sign: 0.02 as `2`."""
    return significant(share * 100)


def count(number: int) -> str:
    """Returns 13471 as `13,471`."""
    return f"{number:,}"


def times(ratio: float) -> str:
    """Returns a ratio of sizes or latencies as a factor: 3.44 as `3.4×`."""
    return f"{significant(ratio, 2)}\N{MULTIPLICATION SIGN}"


def measured(value: float) -> str:
    """Returns a figure of unknown kind: whole numbers whole, others to three digits."""
    return count(int(value)) if value == int(value) else significant(value)


def short(digest: str) -> str:
    """Returns the first 12 digits of a digest, as a registry version is shown."""
    return digest[:12]


def percent_tick(share: float) -> str:
    """Returns a share at an axis, no longer than it must be: 0.975 as `97.5 %`."""
    return f"{round(share * 100, 2):g}{SPACE}%"


def rate_tick(rate: float) -> str:
    """Returns a learning rate at an axis: `0.0003`, `3e−05`."""
    return f"{rate:.2g}".replace("-", MINUS)
