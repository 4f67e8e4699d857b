"""How likely a candidate is accepted, computed exactly: no draws, no approximation.

Of n examples, `lost` and `gained` are trinomial. All pairs within eight standard
deviations are enumerated, and the probabilities of those that prove the margin are summed.
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from components.common.statistics.noninferiority import drop_score

_DEVIATIONS = 8.0


def acceptance_probability(
    *, examples: int, margin: float, alpha: float, drop: float, discordance: float
) -> float:
    """Returns the chance that a candidate is proven not inferior.

    Args:
      examples: of the test split.
      margin: largest accuracy drop to accept.
      alpha: one-sided error probability.
      drop: the candidate's true drop.
      discordance: share of examples on which exactly one of candidate and reference is
        right, at least |drop|.
    """
    lost_share, gained_share = (discordance + drop) / 2, (discordance - drop) / 2
    lost = _likely_counts(examples, lost_share)[:, np.newaxis]
    gained = _likely_counts(examples, gained_share)[np.newaxis, :]
    same = examples - lost - gained
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, examples + 1)))])
    log_chance = (
        log_factorial[examples]
        - log_factorial[lost]
        - log_factorial[gained]
        - log_factorial[np.maximum(same, 0)]
        + _times_log(lost, lost_share)
        + _times_log(gained, gained_share)
        + _times_log(same, 1 - discordance)
    )
    score = drop_score(
        lost.astype(np.float64), gained.astype(np.float64), examples=examples, drop=margin
    )
    # More discordant examples than there are can't be; above, such pairs only kept their index.
    accepted = (score < NormalDist().inv_cdf(alpha)) & (same >= 0)
    if gained[0, 0] == 0:
        accepted[:, 0] &= _exact_p_values(lost[:, 0], examples, margin, log_factorial) < alpha
    return min(1.0, float(np.exp(log_chance[accepted]).sum()))


def _likely_counts(examples: int, share: float) -> npt.NDArray[np.int64]:
    if share <= 0:
        return np.zeros(1, dtype=np.int64)
    spread = _DEVIATIONS * (math.sqrt(examples * share * (1 - share)) + 1)
    first = max(0, math.floor(examples * share - spread))
    last = min(examples, math.ceil(examples * share + spread))
    return np.arange(first, last + 1, dtype=np.int64)


def _times_log(counts: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.float64]:
    """Returns counts · log(share), which is 0 for a count of 0 whatever the share."""
    return counts.astype(np.float64) * (math.log(share) if share > 0 else 0.0)


def _exact_p_values(
    lost: npt.NDArray[np.int64],
    examples: int,
    margin: float,
    log_factorial: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Returns the binomial tails that stand in where nothing is gained."""
    events = np.arange(int(lost[-1]) + 1)
    log_chance = (
        log_factorial[examples]
        - log_factorial[events]
        - log_factorial[examples - events]
        + events * math.log(margin)
        + (examples - events) * math.log1p(-margin)
    )
    tails: npt.NDArray[np.float64] = np.cumsum(np.exp(log_chance))[lost]
    return tails
