"""Figures as people read them: one wording of sizes, shares, times and latencies everywhere.

Sizes are in decimal units, bytes, kB, MB: what stores and download pages count in, and what
the numbers of a recipe's budgets say (`size_bytes: 4_000_000` is 4 MB). A figure has three
significant digits where it was measured, no trailing zeros, and never an exponent. The gate,
the model card, the terminal, CI's tables and messages take these words as they are; the
report sets them in finer type.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_MOST_SHOWN = 5


def points(share: float) -> str:
    """Returns a difference of shares in percentage points: 0.0123 as `1.23 points`."""
    value = round(100 * share, 2)
    return f"{value:g} point" if abs(value) == 1 else f"{value:g} points"


def signed_points(share: float) -> str:
    """Returns a difference of shares in percentage points, without the word: 0.012 as `+1.2`."""
    value = round(100 * share, 2)
    digits = 2 if abs(value) < 1 and value != round(value, 1) else 1
    return f"{value:+.{digits}f}" if value else "0.0"


def percent(share: float, digits: int = 1) -> str:
    """Returns 0.9774 as `97.7 %`."""
    return f"{100 * share:.{digits}f} %"


def interval(low: float, high: float) -> str:
    """Returns a confidence interval of a share: `95.7 % to 98.4 %`."""
    return f"{percent(low)} to {percent(high)}"


def spread(value: float, low: float, high: float) -> str:
    """Returns a share and how far its confidence interval reaches at most: `97.4 % ± 1.7`."""
    return f"{percent(value)} ± {100 * max(high - value, value - low):.1f}"


def growth(before: float, after: float) -> str:
    """Returns by how much a figure has grown: `+1.3 %`."""
    return f"{100 * (after / before - 1):+.1f} %"


def size(size_bytes: float) -> str:
    """Returns bytes in decimal units: 13471636 as `13.5 MB`."""
    if size_bytes == 1:
        return "1 byte"
    value, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{significant(value)} {unit}"


def milliseconds(latency_ms: float) -> str:
    return f"{significant(latency_ms)} ms"


def times(ratio: float, low: float, high: float) -> str:
    """Returns a ratio with its confidence interval: `0.743 times (0.721 to 0.768)`."""
    return f"{significant(ratio)} times ({significant(low)} to {significant(high)})"


def seconds(duration_s: float) -> str:
    """Returns a duration in the unit that fits: `0.31 s`, `42 s`, `3 min 12 s`, `2 h 1 min`."""
    whole = round(duration_s)
    if whole < 10:
        return f"{significant(round(duration_s, 2), digits=2)} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def age(duration_s: float) -> str:
    """Returns roughly how long ago something was, in one unit: `3 d`, `5 h`, `40 s`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if duration_s >= 2 * length:
            return f"{duration_s / length:.0f} {unit}"
    return f"{duration_s:.0f} s"


def significant(value: float, digits: int = 3) -> str:
    """Returns a number with so many significant digits: 1034.2 as `1,034`, 0.0500 as `0.05`."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # After rounding: 0.9996 is 1.00.
    decimals = max(0, digits - 1 - exponent)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").removesuffix(".") if decimals else text


def or_dash(value: T | None, form: Callable[[T], str]) -> str:
    """Returns a figure in one of the forms above, or a dash where there is none."""
    return "-" if value is None else form(value)


def counted(count: int, one: str, many: str) -> str:
    """Returns `1 picture is`, `1,797 pictures are`."""
    return f"{count:,} {one if count == 1 else many}"


def listing(items: Sequence[str]) -> str:
    """Returns `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown(names: Sequence[str], of: int | None = None) -> str:
    """Returns five names and `and 7 more` of many, all of few.

    Args:
      names: the first of them, or all.
      of: how many there are, if more.
    """
    first = names[:_MOST_SHOWN]
    further = (of or len(names)) - len(first)
    return listing([*first, *([f"{further} more"] if further > 0 else [])])
