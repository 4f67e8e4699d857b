"""Figures within sentences: the decision, the model card and messages word them alike."""

from collections.abc import Sequence


def points(share: float) -> str:
    """Returns a difference of shares in percentage points: 0.0123 as `1.23 points`."""
    value = round(100 * share, 2)
    return f"{value:g} point" if abs(value) == 1 else f"{value:g} points"


def percent(share: float) -> str:
    """Returns 0.9774 as `97.7 %`."""
    return f"{100 * share:.1f} %"


def size(size_bytes: int) -> str:
    """Returns bytes in decimal units: 13471636 as `13.5 MB`."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def milliseconds(latency_ms: float) -> str:
    return f"{latency_ms:.3g} ms"


def listing(items: Sequence[str]) -> str:
    """Returns `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown(names: Sequence[str], most: int = 5) -> str:
    """Returns `a, b and 7 more` of many names, all of few."""
    further = len(names) - most
    return listing([*names[:most], *([f"{further} more"] if further > 0 else [])])
