"""The ratio of two medians of durations that were taken side by side, with its interval.

Durations come in **loads**: in each, both were set up anew and then took turns, so that in every
round they met the same machine. Two things make neighbouring durations alike: what else the
machine does goes on for some rounds, and where a load's memory came to lie stays for the whole
load, and favours one of the two. Of two equal models, 200 rounds of one load gave intervals that
held 1 in 15 of 30 measurements.

So the bootstrap draws whole loads, and within each load blocks of neighbouring rounds (H. R.
Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals of Statistics
17, 1989), the same ones of both.
"""

import numpy as np
import numpy.typing as npt

from components.common.documents.evaluation import Estimate

Durations = npt.NDArray[np.int64]

_RESAMPLES = 1_000
_FEWEST_RESAMPLES = 200
_CELLS = 1_000_000
"""Resampled durations to hold at once: some 30 MB."""
_MOST_CELLS = 20_000_000
"""Resampled durations in all, a second or two; where there are many, intervals are narrow."""


def ratio_of_medians(durations: Durations, reference: Durations) -> Estimate:
    """Returns how many times the reference's median another one is, with a 95 % interval.

    Args:
      durations: int64 [loads, rounds], positive.
      reference: of the same shape, taken in the same rounds.
    """
    random = np.random.default_rng(0)
    resamples = max(_FEWEST_RESAMPLES, min(_RESAMPLES, _MOST_CELLS // durations.size))
    rows = max(1, _CELLS // durations.size)
    ratios = [
        _resample(durations, reference, min(rows, resamples - first), random)
        for first in range(0, resamples, rows)
    ]
    value = float(np.median(durations) / np.median(reference))
    low, high = np.percentile(np.concatenate(ratios), [2.5, 97.5])
    return Estimate(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _resample(
    durations: Durations, reference: Durations, count: int, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Returns float64 [count], the ratio in each resample."""
    loads, rounds = durations.shape
    block = max(1, round(rounds ** (1 / 3)))
    blocks = -(-rounds // block)
    chosen = random.integers(loads, size=(count, loads, 1))
    starts = random.integers(rounds, size=(count, loads, blocks, 1))
    # Blocks go on at the beginning, so that each round is drawn as often as any other.
    places = (starts + np.arange(block)) % rounds
    places = places.reshape(count, loads, blocks * block)[:, :, :rounds]
    cells = (chosen * rounds + places).reshape(count, -1)
    one, other = (np.median(values.ravel()[cells], axis=1) for values in (durations, reference))
    return np.asarray(one / other)
