"""Exact tests of counts, against sums written out."""

import math

import pytest

from components.common.statistics.exact_tests import (
    examples_for_share,
    required_gains,
    required_hits,
    share_lower_bound,
    share_p_value,
    superiority_p_value,
)


def chance(hits: int, examples: int, share: float) -> float:
    return math.comb(examples, hits) * share**hits * (1 - share) ** (examples - hits)


@pytest.mark.parametrize(("lost", "gained"), [(0, 5), (3, 12), (10, 10), (12, 3)])
def test_a_gain_is_judged_by_the_tail_of_coins(lost, gained):
    coins = lost + gained
    tail = sum(chance(falls, coins, 0.5) for falls in range(gained, coins + 1))
    assert superiority_p_value(lost, gained) == pytest.approx(tail)


def test_equal_models_are_told_apart_no_more_often_than_alpha():
    for coins in range(60):
        errors = sum(
            chance(gained, coins, 0.5)
            for gained in range(coins + 1)
            if superiority_p_value(coins - gained, gained) < 0.05
        )
        assert errors <= 0.05


def test_where_nothing_differs_nothing_is_proven():
    assert superiority_p_value(0, 0) == 1


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
def test_the_required_gains_are_the_fewest_that_prove_anything(alpha):
    needed = required_gains(alpha=alpha)
    assert superiority_p_value(0, needed) < alpha <= superiority_p_value(0, needed - 1)


@pytest.mark.parametrize(("hits", "examples", "share"), [(7, 7, 0.6), (40, 50, 0.7), (0, 9, 0.1)])
def test_a_share_is_judged_by_its_upper_tail(hits, examples, share):
    tail = sum(chance(count, examples, share) for count in range(hits, examples + 1))
    assert share_p_value(hits, examples, share=share) == pytest.approx(tail)


def test_no_examples_prove_no_share():
    assert share_p_value(0, 0, share=0.5) == 1
    assert share_lower_bound(0, 0, alpha=0.05) == pytest.approx(0)


def test_the_lower_bound_is_where_the_proof_ends():
    bound = share_lower_bound(45, 50, alpha=0.05)
    assert (
        share_p_value(45, 50, share=bound - 1e-6) < 0.05 < share_p_value(45, 50, share=bound + 1e-6)
    )
    # The quantile of Beta(45, 6), by scipy.
    assert bound == pytest.approx(0.801167, abs=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_fewer_than_the_required_hits_prove_a_share_never(share):
    needed = required_hits(share=share, alpha=0.05)
    assert share_p_value(needed, needed, share=share) < 0.05
    assert share_p_value(needed - 1, needed - 1, share=share) >= 0.05


def test_the_examples_named_for_a_share_give_about_the_power_promised():
    needed = examples_for_share(expected=0.9, share=0.8, alpha=0.05)
    power = sum(
        chance(hits, needed, 0.9)
        for hits in range(needed + 1)
        if share_p_value(hits, needed, share=0.8) < 0.05
    )
    assert power == pytest.approx(0.8, abs=0.07)
    assert examples_for_share(expected=1.0, share=0.8, alpha=0.05) == 14
