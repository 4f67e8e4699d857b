"""The interval of a ratio of medians, on durations drawn by what is known of a machine."""

import numpy as np
import pytest

from components.common.statistics.ratios import Durations, ratio_of_medians

LOADS, ROUNDS = 10, 20
_DRAWN = 100


def draw_pair(
    random: np.random.Generator, *, ratio: float, by_load: float, common: float
) -> tuple[Durations, Durations]:
    """Draws durations of two models.

    Args:
      random: draws them.
      ratio: the true one.
      by_load: how much a load favours one of the two, as a standard deviation.
      common: what hits both in a round, and lingers.
    """
    shared = np.zeros((LOADS, ROUNDS))
    for place in range(1, ROUNDS):
        shared[:, place] = 0.8 * shared[:, place - 1] + random.normal(0, common, LOADS)
    favour = random.normal(0, by_load, (LOADS, 1))
    one, other = (
        1e6 * np.exp(shared + sign * favour + random.normal(0, 0.02, (LOADS, ROUNDS)))
        for sign in (1, -1)
    )
    return (ratio * one).astype(np.int64), other.astype(np.int64)


def share_held(*, ratio: float, by_load: float, common: float) -> float:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(_DRAWN):
        found = ratio_of_medians(*draw_pair(random, ratio=ratio, by_load=by_load, common=common))
        held += found.low <= ratio <= found.high
    return held / _DRAWN


@pytest.mark.parametrize(
    ("by_load", "common"),
    [
        pytest.param(0.0, 0.0, marks=pytest.mark.slow),
        pytest.param(0.02, 0.0, marks=pytest.mark.slow),
        (0.02, 0.1),
    ],
)
def test_the_interval_holds_the_true_ratio(by_load: float, common: float) -> None:
    assert share_held(ratio=0.74, by_load=by_load, common=common) >= 0.9


def test_the_ratio_is_that_of_the_medians_of_all_rounds() -> None:
    reference = np.array([[10, 20, 90], [30, 20, 10]])
    found = ratio_of_medians(2 * reference, reference)
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0), "paired in every round"


def test_a_large_difference_is_told_apart_and_the_interval_is_narrow() -> None:
    one, other = draw_pair(np.random.default_rng(0), ratio=0.9, by_load=0.01, common=0.1)
    found = ratio_of_medians(one, other)
    assert 0.8 < found.low <= found.value <= found.high < 1


def test_many_rounds_are_resampled_in_parts() -> None:
    durations = np.random.default_rng(0).integers(90, 110, (10, 3_000))
    found = ratio_of_medians(durations, durations)
    assert (found.low, found.high) == (1.0, 1.0)
