"""The gate's error and power: computed exactly, and simulated through the real decision."""

import math

import numpy as np
import pytest

from components.common.documents.decision import Decision
from components.common.statistics.noninferiority import (
    examples_for_power,
    inferiority_p_value,
    required_examples,
)
from components.gate.power import acceptance_probability
from tests.components.gate.cases import bless, decide_on, make_entrant

DRAWS = 2000
NAMES = ("float16", "dynamic_range", "int8", "pruned-int8")


def test_the_acceptance_probability_sums_over_every_table():
    examples, margin, alpha, drop, discordance = 60, 0.1, 0.1, 0.05, 0.15
    lost_share, gained_share = (discordance + drop) / 2, (discordance - drop) / 2
    total = 0.0
    for lost in range(examples + 1):
        for gained in range(examples + 1 - lost):
            if inferiority_p_value(lost, gained, examples=examples, margin=margin) < alpha:
                ways = math.comb(examples, lost) * math.comb(examples - lost, gained)
                total += (
                    ways
                    * lost_share**lost
                    * gained_share**gained
                    * (1 - discordance) ** (examples - lost - gained)
                )
    assert total > 0.2
    assert acceptance_probability(
        examples=examples, margin=margin, alpha=alpha, drop=drop, discordance=discordance
    ) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 4])
@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_at_a_true_drop_of_the_margin_acceptance_stays_near_alpha(margin, alpha):
    """At every size of split from the smallest, however often the two models differ."""
    smallest = required_examples(margin=margin, alpha=alpha)
    for examples in (smallest, *(round(smallest * factor) for factor in (1.1, 1.3, 1.7, 3, 6))):
        for discordance in (margin, 1.1 * margin, 1.5 * margin, 3 * margin, 0.2):
            error = acceptance_probability(
                examples=examples,
                margin=margin,
                alpha=alpha,
                drop=margin,
                discordance=discordance,
            )
            assert error <= 1.12 * alpha


def test_power_rises_with_examples_and_falls_with_discordance():
    def power(examples: int, discordance: float) -> float:
        return acceptance_probability(
            examples=examples, margin=0.02, alpha=0.0125, drop=0.0, discordance=discordance
        )

    rising = [power(examples, 0.02) for examples in (250, 500, 1000, 2000, 4000)]
    assert rising == sorted(rising)
    assert rising[0] < 0.35 and rising[-1] > 0.99
    falling = [power(1000, discordance) for discordance in (0.0, 0.01, 0.05, 0.2)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 1


def test_a_split_below_the_required_size_has_no_power():
    needed = required_examples(margin=0.02, alpha=0.05)
    figures = {"margin": 0.02, "alpha": 0.05, "drop": 0.0, "discordance": 0.0}
    assert acceptance_probability(examples=needed - 1, **figures) == 0
    assert acceptance_probability(examples=needed, **figures) == 1


@pytest.mark.parametrize(
    ("discordance", "drop"), [(0.01, 0.0), (0.02, 0.0), (0.05, 0.005), (0.1, 0.0)]
)
def test_the_examples_named_in_a_remedy_give_about_the_power_promised(discordance, drop):
    figures = {"margin": 0.02, "alpha": 0.0125, "drop": drop, "discordance": discordance}
    needed = examples_for_power(**figures)
    assert acceptance_probability(examples=needed, **figures) == pytest.approx(0.8, abs=0.06)


def draw_decision(
    random: np.random.Generator,
    *,
    examples: int,
    drop: float,
    discordance: float,
    candidates: int,
    blessed: bool,
    margin: float,
) -> Decision:
    """Decides on models of which each has the given true drop against float32.

    Given whether float32 is right, the candidates err independently. Float32 itself can't
    win: it is over the size budget.
    """
    reference = random.random(examples) < 0.9
    lost_share = (discordance + drop) / 2 / 0.9
    gained_share = (discordance - drop) / 2 / 0.1
    entrants = [make_entrant("float32", reference, size_bytes=4000)]
    for name in NAMES[:candidates]:
        chance = random.random(examples)
        correct = np.where(reference, chance >= lost_share, chance < gained_share)
        entrants.append(make_entrant(name, correct, size_bytes=1000))
    champion = None
    if blessed:  # As good as float32 and more often than not alike.
        correct = np.where(
            reference, random.random(examples) >= 0.01, random.random(examples) < 0.09
        )
        champion = bless(make_entrant("int8", correct, content="champion"), correct)
    return decide_on(*entrants, blessed=champion, size_bytes=3000, accuracy_drop=margin)


def share_blessed(seed: int, **case: float | int | bool) -> float:
    random = np.random.default_rng(seed)
    verdicts = [draw_decision(random, **case).verdict for _ in range(DRAWS)]
    assert set(verdicts) <= {"blessed", "not_blessed"}
    return verdicts.count("blessed") / DRAWS


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {"examples": 450, "margin": 0.02, "discordance": 0.02, "candidates": 1, "blessed": False},
        {"examples": 299, "margin": 0.01, "discordance": 0.011, "candidates": 1, "blessed": False},
        {"examples": 477, "margin": 0.02, "discordance": 0.06, "candidates": 4, "blessed": False},
        {"examples": 477, "margin": 0.02, "discordance": 0.06, "candidates": 4, "blessed": True},
    ],
    ids=["losses alone", "fewest examples", "four candidates", "four and a blessed one"],
)
def test_at_a_true_drop_of_the_budget_at_most_six_percent_are_blessed(case):
    assert share_blessed(2024, drop=case["margin"], **case) <= 0.06


@pytest.mark.slow
def test_a_candidate_as_accurate_as_float32_is_blessed_as_often_as_the_power_says():
    case = {"examples": 600, "margin": 0.02, "discordance": 0.04, "candidates": 1}
    power = acceptance_probability(
        examples=600, margin=0.02, alpha=0.05, drop=0.0, discordance=0.04
    )
    assert 0.6 < power < 0.9
    assert share_blessed(7, drop=0.0, blessed=False, **case) == pytest.approx(power, abs=0.03)
