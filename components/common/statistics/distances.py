"""How far two distributions are apart."""

from collections.abc import Sequence


def total_variation(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns half the sum of differences of two distributions over the same values: in [0, 1]."""
    return sum(abs(a - b) for a, b in zip(first, second, strict=True)) / 2
