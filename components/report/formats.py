"""Numbers as a person reads them; each function is a filter of the page's template."""

import math

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float, digits: int = 1) -> str:
    """Returns 0.978 as `97.8 %`."""
    return f"{share * 100:.{digits}f}{SPACE}%".replace("-", MINUS)


def points(share: float) -> str:
    """Returns a difference of shares in percentage points, signed: 0.012 as `+1.2`."""
    value = round(share * 100, 2)
    digits = 2 if abs(value) < 1 and value != round(value, 1) else 1
    text = f"{value:+.{digits}f}" if value else "0.0"
    return text.replace("-", MINUS)


def plain_points(share: float) -> str:
    """Returns a margin in percentage points, without a sign: 0.02 as `2`."""
    return f"{share * 100:.3g}"


def count(number: int) -> str:
    """Returns 13471 as `13,471`."""
    return f"{number:,}"


def size(size_bytes: float) -> str:
    """Returns bytes in decimal units, three significant digits: 13471636 as `13.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size_bytes) < 999.5 or unit == "GB":
            break
        size_bytes /= 1000
    return f"{significant(size_bytes) if unit != 'B' else round(size_bytes)}{SPACE}{unit}"


def milliseconds(value: float) -> str:
    return f"{significant(value)}{SPACE}ms"


def seconds(value: float) -> str:
    """Returns `0.31 s`, `42 s` or `3 min 12 s`."""
    if value < 9.95:
        return f"{value:.2g}{SPACE}s" if value < 1 else f"{value:.1f}{SPACE}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min {whole % 60}{SPACE}s"
    return f"{whole // 3600}{SPACE}h {whole % 3600 // 60}{SPACE}min"


def times(ratio: float) -> str:
    """Returns a ratio of sizes or latencies as a factor: 3.44 as `3.4×`."""
    return f"{significant(ratio, 2)}\N{MULTIPLICATION SIGN}"


def significant(value: float, digits: int = 3) -> str:
    """Returns a number with so many significant digits, never with an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # After rounding: 0.9996 is 1.00.
    decimals = max(0, digits - 1 - exponent)
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def measured(value: float) -> str:
    """Returns a figure of unknown kind: whole numbers whole, others to three digits."""
    return count(int(value)) if value == int(value) else significant(value)


def short(digest: str) -> str:
    """Returns the first 12 digits of a digest, as a registry version is shown."""
    return digest[:12]


def percent_tick(share: float) -> str:
    """Returns a share at an axis, no longer than it must be: 0.975 as `97.5 %`."""
    return f"{round(share * 100, 2):g}{SPACE}%"


def size_tick(size_bytes: float) -> str:
    number, unit = size(size_bytes).split(SPACE)
    return f"{float(number.replace(',', '')):g}{SPACE}{unit}"


def rate_tick(rate: float) -> str:
    """Returns a learning rate at an axis: `0.0003`, `3e−05`."""
    return f"{rate:.2g}".replace("-", MINUS)
