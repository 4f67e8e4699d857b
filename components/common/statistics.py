"""Sample sizes and intervals for paired accuracies, without any library.

The upper bound of a paired drop is Tango's score interval (T. Tango, Equivalence test and
confidence interval for the difference in proportions for the paired-sample design,
Statistics in Medicine 17, 1998).
"""

import math
from statistics import NormalDist


def required_examples(*, margin: float, alpha: float) -> int:
    """Returns the fewest test examples with which a margin can be proven at all.

    With n examples on which candidate and reference never differ, Tango's upper bound of
    the drop is z² / (n + z²); it must lie below the margin.

    Args:
      margin: largest accuracy drop to accept, in (0, 1).
      alpha: one-sided error probability.
    """
    z2 = NormalDist().inv_cdf(1 - alpha) ** 2
    return math.floor(z2 * (1 - margin) / margin) + 1
