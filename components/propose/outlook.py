"""What a level that was not tried may come to, by those that were.

Losses are taken to add up, a rung's to its parent's, and to grow with a power of the level: the one
that two levels show, or the rung's own where only one is known. Candidates weigh in proportion to
what the rung is forecast to leave.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from components.propose.judging import Judged

_STEEPEST = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A level's candidates, and what the rung has cost there.

    Attributes:
      loss: of the rung alone, without its parent's.
      candidates: at this level.
      offset: what a candidate loses on the parent in question beyond what it lost here.
      scale: how many times what it weighs here it weighs there.
    """

    loss: float
    candidates: Sequence[Judged]
    offset: float = 0.0
    scale: float = 1.0


def expect_loss(level: float, seen: Mapping[float, Seen], *, steepness: float) -> float | None:
    """Returns what the rung alone may lose at a level; None where nothing is known of any.

    Args:
      level: in the rung's measure, above 0.
      seen: by levels.
      steepness: the power with which losses grow, where only one level is known.
    """
    if not seen:
        return None
    first, *others = sorted(seen, key=lambda at: (abs(at - level), at))
    own = max(seen[first].loss, 0.0)
    other = next((at for at in others if own > 0 and seen[at].loss > 0), None)
    if other is not None:
        grown = math.log(seen[other].loss / own) / math.log(other / first)
        steepness = min(max(grown, 1.0), _STEEPEST)
    return own * math.pow(level / first, steepness)


def expect_weight(
    level: float,
    seen: Mapping[float, Seen],
    *,
    loss: float,
    share: float,
    shares: Mapping[float, float],
) -> float | None:
    """Returns what the lightest candidate may weigh that may be expected to hold at a level.

    Args:
      level: in the rung's measure.
      seen: by levels.
      loss: what the rung alone may lose at the level.
      share: what it leaves of the weight there.
      shares: what it leaves at those seen.
    """
    nearest = min(seen, key=lambda at: (abs(at - level), at))
    start = seen[nearest]
    change = start.offset + loss - max(start.loss, 0.0)
    factor = start.scale * share / shares[nearest]
    return min(
        (
            one.weight * factor
            for one in start.candidates
            if one.within_budgets and one.would_hold(one.drop + change)
        ),
        default=None,
    )
