"""One rung on one parent: which of its levels is to be tried next.

What holds at a level holds at all milder ones, and what does not at none that is stronger. So
levels are bisected: n of them take about the logarithm of n trials, not n.
"""

from collections.abc import Mapping, Sequence

HOPELESS = 3.0
"""So many margins of loss are not made good: by a longer training, or by a forecast's error."""


def next_level(
    outcomes: Mapping[float, bool],
    *,
    levels: Sequence[float],
    resolution: float | None,
) -> float | None:
    """Returns the level to try next; None where the strongest that holds is known.

    Args:
      outcomes: level -> whether it holds, of those of which it is known.
      levels: from mild to strong.
      resolution: how close to come between two neighbouring levels; None for not at all.
    """
    low, high = bounds(outcomes)
    left = [
        level for level in levels if (low is None or level > low) and (high is None or level < high)
    ]
    if left:
        # Where one end is open, the step towards it is the shorter one.
        return left[len(left) // 2 if low is None else (len(left) - 1) // 2]
    if resolution is None or low is None or high is None:
        return None
    between = round((low + high) / 2 / resolution) * resolution
    between = round(between, 6)
    return between if low < between < high else None


def bounds(outcomes: Mapping[float, bool]) -> tuple[float | None, float | None]:
    """Returns the strongest level that holds, and the mildest above it that does not."""
    low = max((level for level, holds in outcomes.items() if holds), default=None)
    high = min(
        (level for level, holds in outcomes.items() if not holds and (low is None or level > low)),
        default=None,
    )
    return low, high


def fine_levels(levels: Sequence[float], resolution: float | None) -> tuple[float, ...]:
    """Returns the levels and, where there may be some between, those as well."""
    if resolution is None:
        return tuple(levels)
    steps = round((levels[-1] - levels[0]) / resolution)
    between = (round(levels[0] + step * resolution, 6) for step in range(steps))
    return tuple(sorted({*levels, *between}))
