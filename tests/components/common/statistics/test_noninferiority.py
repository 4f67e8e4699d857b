import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from components.common.statistics.noninferiority import (
    drop_lower_bound,
    drop_score,
    drop_upper_bound,
    examples_for_power,
    excess_p_value,
    holm,
    inferiority_p_value,
    provable_margin,
    required_examples,
)


@pytest.mark.parametrize(
    ("lost", "gained", "examples", "low", "high"),
    [
        # Complete response before and after therapy (Cavo 2012), in chapter 8 of M. W.
        # Fagerland, S. Lydersen, P. Laake, Statistical Analysis of Contingency Tables, 2017.
        (6, 16, 161, -0.1240, -0.0054),
        # Airway hyper-responsiveness (Bentur 2009), in the same chapter.
        (1, 7, 21, -0.5172, -0.0260),
    ],
)
def test_bounds_equal_the_published_intervals(lost, gained, examples, low, high):
    assert drop_lower_bound(lost, gained, examples=examples, alpha=0.025) == pytest.approx(
        low, abs=5e-5
    )
    assert drop_upper_bound(lost, gained, examples=examples, alpha=0.025) == pytest.approx(
        high, abs=5e-5
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int]:
    examples = draw(st.integers(5, 400))
    lost = draw(st.integers(0, examples))
    return lost, draw(st.integers(0, examples - lost)), examples


@settings(max_examples=60, deadline=None)
@given(tables(), st.floats(-0.9, 0.9).filter(lambda drop: abs(drop) > 1e-3))
def test_the_score_takes_its_variance_at_the_most_likely_share(table, drop):
    lost, gained, examples = table
    same = examples - lost - gained

    def unlikeliness(share: float) -> float:
        shares = (share + drop, share, 1 - 2 * share - drop)
        counts = (lost, gained, same)
        return -sum(
            count * math.log(max(p, 1e-300))
            for count, p in zip(counts, shares, strict=True)
            if count
        )

    low, high = max(0.0, -drop), (1 - drop) / 2
    found = optimize.minimize_scalar(
        unlikeliness, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    variance = examples * (2 * found.x + drop - drop**2)
    expected = (lost - gained - examples * drop) / math.sqrt(variance)
    # The search stops a little short of an end at which the likelihood is greatest.
    assert drop_score(float(lost), float(gained), examples=examples, drop=drop) == pytest.approx(
        expected, rel=2e-3, abs=2e-3
    )


@settings(max_examples=60, deadline=None)
@given(tables(), st.sampled_from([0.05, 0.0125, 0.001]))
def test_the_upper_bound_is_the_margin_at_which_the_test_turns(table, alpha):
    lost, gained, examples = table
    bound = drop_upper_bound(lost, gained, examples=examples, alpha=alpha)
    assert (lost - gained) / examples <= bound <= 1
    for margin, proven in ((bound + 1e-6, True), (bound - 1e-6, False)):
        if -1 < margin < 1 and margin != 0 and margin > (lost - gained) / examples:
            p_value = inferiority_p_value(lost, gained, examples=examples, margin=margin)
            assert (p_value < alpha) is proven


@settings(max_examples=60, deadline=None)
@given(tables())
def test_the_lower_bound_mirrors_the_score_bound(table):
    lost, gained, examples = table
    bound = drop_lower_bound(lost, gained, examples=examples, alpha=0.05)
    assert -1 <= bound <= (lost - gained) / examples
    if -1 < bound < 1 and abs(bound) > 1e-6:
        p_value = excess_p_value(lost, gained, examples=examples, margin=bound)
        assert p_value == pytest.approx(0.05, abs=1e-5)


def test_arrays_score_as_scalars_do():
    lost, gained = np.meshgrid(np.arange(20.0), np.arange(20.0))
    together = drop_score(lost, gained, examples=100, drop=0.05)
    for index in np.ndindex(20, 20):
        alone = drop_score(float(lost[index]), float(gained[index]), examples=100, drop=0.05)
        assert together[index] == alone


def test_where_nothing_is_gained_the_exact_tail_stands_in():
    p_value = inferiority_p_value(4, 0, examples=450, margin=0.02)
    assert p_value == pytest.approx(stats.binom.cdf(4, 450, 0.02))
    assert p_value > 0.05 > stats.norm.cdf(drop_score(4.0, 0.0, examples=450, drop=0.02))


@pytest.mark.parametrize("margin", [0.005, 0.01, 0.02, 0.1])
@pytest.mark.parametrize("alpha", [0.05, 0.0125, 0.001])
def test_required_examples_are_just_enough(margin, alpha):
    needed = required_examples(margin=margin, alpha=alpha)
    assert inferiority_p_value(0, 0, examples=needed, margin=margin) < alpha
    assert inferiority_p_value(0, 0, examples=needed - 1, margin=margin) >= alpha
    assert provable_margin(examples=needed, alpha=alpha) < margin
    assert provable_margin(examples=needed - 1, alpha=alpha) >= margin


def test_one_point_takes_three_hundred_examples():
    assert required_examples(margin=0.01, alpha=0.05) == 299


def test_holm_stops_at_the_first_that_holds():
    steps = holm({"a": 0.04, "b": 0.001, "c": 0.03, "d": 0.9}, alpha=0.05)
    assert {name: step.rejected for name, step in steps.items()} == {
        "b": True,
        "c": False,
        "a": False,
        "d": False,
    }
    # 0.04 lies below 0.05 / 1, but the procedure ended at 0.03 against 0.05 / 3.
    assert [steps[name].alpha for name in "bcad"] == pytest.approx(
        [0.0125, 0.05 / 3, 0.05 / 3, 0.05 / 3]
    )


def test_holm_gives_all_to_a_single_hypothesis():
    assert holm({"a": 0.049}, alpha=0.05)["a"].rejected
    assert holm({}, alpha=0.05) == {}


def test_more_discordance_takes_more_examples():
    needed = [
        examples_for_power(discordance=share, drop=0.0, margin=0.02, alpha=0.05)
        for share in (0.0, 0.02, 0.1)
    ]
    assert needed[0] == required_examples(margin=0.02, alpha=0.05)
    assert needed == sorted(needed)
    # With much discordance, the variance is the same at both ends: (1.645 + 0.842)² · 0.1 / 0.02².
    assert needed[2] == pytest.approx(1546, rel=0.03)
