"""Exact tests of counts, without any library: of a share, and of which of two models wins.

Whatever the numbers, the chance that a false claim passes is alpha at most: the tails are
binomial, and nothing is approximated. A share of n examples has the interval of C. Clopper
and E. Pearson (The use of confidence or fiducial limits illustrated in the case of the
binomial, Biometrika 26, 1934). Of two models, the examples on which both are right or both
wrong say nothing about which is better, so the others alone are counted, as coins that
fall evenly where the two are equally good (Q. McNemar, Note on the sampling error of the
difference between correlated proportions or percentages, Psychometrika 12, 1947).
"""

import math
from collections.abc import Callable
from statistics import NormalDist

_NORMAL = NormalDist()


def superiority_p_value(lost: int, gained: int) -> float:
    """Returns how likely so great a gain is, at most, where the candidate is not better.

    Args:
      lost: examples that the reference alone gets right.
      gained: examples that the candidate alone gets right.
    """
    return binomial_tail(lost, lost + gained, 0.5)


def required_gains(*, alpha: float) -> int:
    """Returns the fewest examples to gain, with none lost, that prove a candidate better."""
    return required_hits(share=0.5, alpha=alpha)


def share_p_value(hits: int, examples: int, *, share: float) -> float:
    """Returns how likely so many hits are, at most, where their true share is no greater.

    Below alpha, the true share is proven to lie above `share`; 1 where there is no example.
    """
    return binomial_tail(examples - hits, examples, 1 - share)


def share_lower_bound(hits: int, examples: int, *, alpha: float) -> float:
    """Returns the largest share for which `share_p_value` lies below alpha."""
    return bisect(lambda share: share_p_value(hits, examples, share=share) < alpha, 0.0, 1.0)


def required_hits(*, share: float, alpha: float) -> int:
    """Returns the fewest examples that prove a greater share where all of them are hits.

    As many without a hit prove that the true share lies below 1 - `share`.
    """
    return math.floor(math.log(alpha) / math.log(share)) + 1


def examples_for_share(*, expected: float, share: float, alpha: float, power: float = 0.8) -> int:
    """Returns about how many examples prove a share with that chance.

    The normal approximation, and no fewer than `required_hits`.

    Args:
      expected: the true share, above `share`.
      share: what is to be proven.
      alpha: one-sided error probability.
      power: the chance.
    """
    spread = _NORMAL.inv_cdf(1 - alpha) * math.sqrt(share * (1 - share))
    spread += _NORMAL.inv_cdf(power) * math.sqrt(expected * (1 - expected))
    needed = math.ceil((spread / (expected - share)) ** 2)
    return max(needed, required_hits(share=share, alpha=alpha))


def binomial_tail(count: int, examples: int, share: float) -> float:
    """Returns the chance of at most so many events, each with a chance of `share` in (0, 1)."""
    total = 0.0
    for events in range(count + 1):
        # In logarithms: the binomial coefficients of a few thousand examples overflow a float.
        log = math.lgamma(examples + 1) - math.lgamma(events + 1)
        log -= math.lgamma(examples - events + 1)
        total += math.exp(log + events * math.log(share) + (examples - events) * math.log1p(-share))
    return min(total, 1.0)


def bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Returns the end of the stretch from `low` on which a condition holds.

    The ends themselves are never tried: what is tested may be undefined there.
    """
    while high - low > 1e-12:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
