"""Non-inferiority of paired accuracies, without any library.

Two models see the same n examples. `lost` counts those that the reference alone gets
right, `gained` those that the candidate alone gets right, so the accuracy drop is
(lost - gained) / n. A candidate is not inferior when the drop is proven to lie below a
margin; a drop that is merely not significant proves nothing.

The test is Tango's score test (T. Tango, Equivalence test and confidence interval for the
difference in proportions for the paired-sample design, Statistics in Medicine 17, 1998).
Its one weakness is a candidate that gains nothing while the margin is a handful of
examples: there the error probability reaches 1.4 times its nominal value. In that case
losses alone are binomial, and the exact tail stands in where it is larger.

Several candidates share one error probability by Holm's step-down procedure (S. Holm, A
simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
6, 1979).
"""

import dataclasses
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeVar

from components.common.statistics.exact_tests import binomial_tail, bisect

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Counts = TypeVar("Counts", float, "npt.NDArray[np.float64]")

_NORMAL = NormalDist()


def required_examples(*, margin: float, alpha: float) -> int:
    """Returns the fewest test examples with which a margin can be proven at all.

    That is where candidate and reference never differ: the score bound z² / (n + z²) and
    the exact one, 1 - alpha^(1/n), must both lie below the margin.

    Args:
      margin: largest accuracy drop to accept, in (0, 1).
      alpha: one-sided error probability.
    """
    z2 = _NORMAL.inv_cdf(1 - alpha) ** 2
    score = z2 * (1 - margin) / margin
    exact = math.log(alpha) / math.log1p(-margin)
    return math.floor(max(score, exact)) + 1


def provable_margin(*, examples: int, alpha: float) -> float:
    """Returns the drop that a perfect agreement on so many examples leaves possible."""
    return drop_upper_bound(0, 0, examples=examples, alpha=alpha)


def drop_score(lost: Counts, gained: Counts, *, examples: float, drop: float) -> Counts:
    """Returns Tango's score statistic for a supposed drop; below 0 where less was seen.

    Args:
      lost: counts, scalar or array.
      gained: counts, of the same shape.
      examples: n.
      drop: the supposed drop, in (-1, 1); not 0 where lost and gained are 0.
    """
    # The most likely share of gained examples, given that drop.
    b = (2 * examples - lost + gained) * drop - lost - gained
    # The larger root of 2n·share² + b·share - gained·drop·(1 - drop) = 0.
    share = ((b * b + 8 * examples * gained * drop * (1 - drop)) ** 0.5 - b) / (4 * examples)
    variance = examples * (2 * share + drop * (1 - drop))
    score: Counts = (lost - gained - examples * drop) / variance**0.5
    return score


def inferiority_p_value(lost: int, gained: int, *, examples: int, margin: float) -> float:
    """Returns how likely so small a drop is, at most, where the true one is the margin.

    Below alpha, the candidate is proven not to be inferior by the margin.
    """
    p_value = _NORMAL.cdf(drop_score(float(lost), float(gained), examples=examples, drop=margin))
    if gained == 0:
        return max(p_value, binomial_tail(lost, examples, margin))
    return p_value


def excess_p_value(lost: int, gained: int, *, examples: int, margin: float) -> float:
    """Returns how likely so large a drop is, at most, where the true one is the margin.

    Below alpha, the candidate is proven to be worse than the margin.
    """
    return _NORMAL.cdf(-drop_score(float(lost), float(gained), examples=examples, drop=margin))


def drop_upper_bound(lost: int, gained: int, *, examples: int, alpha: float) -> float:
    """Returns the smallest margin for which `inferiority_p_value` lies below alpha."""

    def possible(drop: float) -> bool:
        return inferiority_p_value(lost, gained, examples=examples, margin=drop) >= alpha

    return bisect(possible, (lost - gained) / examples, 1.0)


def drop_lower_bound(lost: int, gained: int, *, examples: int, alpha: float) -> float:
    """Returns the largest margin for which `excess_p_value` lies below alpha."""

    def possible(gain: float) -> bool:
        return excess_p_value(lost, gained, examples=examples, margin=-gain) >= alpha

    return -bisect(possible, (gained - lost) / examples, 1.0)


def examples_for_power(
    *, discordance: float, drop: float, margin: float, alpha: float, power: float = 0.8
) -> int:
    """Returns about how many examples give a candidate that chance to be accepted.

    Tango's formula: the score test at the expected counts.

    Args:
      discordance: share of examples on which exactly one of the two is right.
      drop: the candidate's true drop, below the margin.
      margin: largest accuracy drop to accept.
      alpha: one-sided error probability.
      power: the chance.

    Returns:
      At least `required_examples`. The exact power at so many lies between 0.71 and 0.87
      where 0.8 is asked, closer the larger the number is.
    """
    lost, gained = (discordance + drop) / 2, (discordance - drop) / 2
    at_margin = (drop - margin) / drop_score(lost, gained, examples=1, drop=margin)
    at_drop = math.sqrt(max(discordance - drop**2, 0.0))
    spread = _NORMAL.inv_cdf(1 - alpha) * at_margin + _NORMAL.inv_cdf(power) * at_drop
    needed = math.ceil((spread / (margin - drop)) ** 2)
    return max(needed, required_examples(margin=margin, alpha=alpha))


def room_for_proof(*, discordance: float, margin: float, examples: int, alpha: float) -> float:
    """Returns how far below a margin a drop must lie to be proven in one of two cases.

    That is the standard error of a paired difference, times the normal quantile: what
    `examples_for_power` comes to for a power of 0.5, without the score test's variance.

    Args:
      discordance: share of the examples on which one of the two alone is right.
      margin: largest accuracy drop to accept; where it is lost, at least so many differ.
      examples: of the split that proves it.
      alpha: one-sided error probability.
    """
    error = math.sqrt(max(discordance, margin) / max(examples, 1))
    return _NORMAL.inv_cdf(1 - alpha) * error


def examples_to_rank(*, margin: float) -> int:
    """Returns about how many examples tell candidates within a margin from others.

    So many that one which loses nothing, and changes the answer to one example in twenty, would be
    shown to keep within the margin with a chance of 0.8. With fewer, what is lighter and what loses
    less can't be told apart by more than luck.
    """
    return examples_for_power(discordance=0.05, drop=0.0, margin=margin, alpha=0.05)


@dataclasses.dataclass(frozen=True)
class HolmStep:
    """How one of several hypotheses fared.

    Attributes:
      alpha: its own error probability; the one that ended the procedure for those after.
      rejected: whether its p-value, and all smaller ones, lay below theirs.
    """

    alpha: float
    rejected: bool


def holm(p_values: Mapping[str, float], *, alpha: float) -> dict[str, HolmStep]:
    """Tests several hypotheses so that any false rejection has probability alpha at most.

    The smallest p-value is held against alpha / m, the next against alpha / (m - 1), and
    so on; the first that is not below ends it.
    """
    steps: dict[str, HolmStep] = {}
    share, going = alpha, True
    # Equal p-values go by name, so that a run that is repeated decides alike.
    for rank, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        if going:
            share = alpha / (len(p_values) - rank)
            going = p_values[name] < share
        steps[name] = HolmStep(alpha=share, rejected=going)
    return steps
