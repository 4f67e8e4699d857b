"""How far two distributions are apart, and how far chance alone may bring them.

TensorFlow Data Validation compares data sets by L-infinity between the shares of values, and by the
Jensen-Shannon divergence to the base of 2. Kolmogorov and Smirnov's statistic is for numbers. What
chance does follows from how many examples there are of each: two samples of one
distribution lie further apart once in a thousand times.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

_NORMAL = 3.09
"""A normal variable is greater once in a thousand times."""
_CERTAIN = math.sqrt(math.log(2 / 0.001) / 2)
"""By Hoeffding's inequality for a share; by Smirnov's limit for two distributions of numbers."""


@dataclasses.dataclass(frozen=True)
class Distance:
    """Between two samples, in [0, 1]."""

    statistic: str
    value: float
    chance: float
    at: int
    """The value or bin where it shows most."""


def l_infinity(one: Sequence[int], other: Sequence[int]) -> Distance:
    """Returns the greatest difference of a value's shares.

    Args:
      one: how many examples have each value; one at least.
      other: likewise, of the same values.
    """
    gaps = [abs(p - q) for p, q in _shares(one, other)]
    return Distance(
        "L-infinity", max(gaps), _CERTAIN * math.sqrt(_spread(one, other)), _greatest(gaps)
    )


def jensen_shannon(one: Sequence[int], other: Sequence[int]) -> Distance:
    """Returns the mean divergence, in bits, of both distributions from the one between them.

    Args:
      one: how many examples have each value; one at least.
      other: likewise, of the same values.
    """
    parts = [(_divergence(p, q) + _divergence(q, p)) / 2 for p, q in _shares(one, other)]
    present = sum(1 for p, q in zip(one, other, strict=True) if p or q)
    chance = _chi_squared(present - 1) * _spread(one, other) / (8 * math.log(2))
    return Distance("Jensen-Shannon divergence", sum(parts), chance, _greatest(parts))


def kolmogorov_smirnov(one: Sequence[int], other: Sequence[int]) -> Distance:
    """Returns the greatest difference of the shares of what is below a number.

    Of numbers that are known by their bins it is the greatest where bins meet.

    Args:
      one: how many examples lie in each bin; one at least.
      other: likewise, of the same bins.
    """
    below = itertools.accumulate(
        _shares(one, other), lambda sums, shares: (sums[0] + shares[0], sums[1] + shares[1])
    )
    gaps = [abs(p - q) for p, q in below][:-1]
    return Distance(
        "Kolmogorov-Smirnov", max(gaps), _CERTAIN * math.sqrt(_spread(one, other)), _greatest(gaps)
    )


def _shares(one: Sequence[int], other: Sequence[int]) -> list[tuple[float, float]]:
    first, second = sum(one), sum(other)
    return [(p / first, q / second) for p, q in zip(one, other, strict=True)]


def _divergence(share: float, other: float) -> float:
    return share * math.log2(2 * share / (share + other)) if share else 0.0


def _spread(one: Sequence[int], other: Sequence[int]) -> float:
    return 1 / sum(one) + 1 / sum(other)


def _chi_squared(degrees: int) -> float:
    """Returns what a chi-squared variable exceeds once in a thousand times.

    Wilson and Hilferty's approximation, PNAS 17, 1931.
    """
    if degrees < 1:
        return 0.0
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + _NORMAL * math.sqrt(part)) ** 3)


def _greatest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
