"""Distances against SciPy's, and what chance makes of them."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from components.common.statistics.distances import jensen_shannon, kolmogorov_smirnov, l_infinity

ONE, OTHER = (30, 10, 0, 60), (20, 20, 100, 60)


def test_distances_are_what_scipy_returns():
    shares = np.array(ONE) / sum(ONE), np.array(OTHER) / sum(OTHER)
    assert l_infinity(ONE, OTHER).value == pytest.approx(0.5)
    assert jensen_shannon(ONE, OTHER).value == pytest.approx(jensenshannon(*shares, base=2) ** 2)
    samples = (np.repeat(range(4), counts) for counts in (ONE, OTHER))
    assert kolmogorov_smirnov(ONE, OTHER).value == pytest.approx(stats.ks_2samp(*samples).statistic)


def test_a_distance_tells_where_it_shows_most():
    assert l_infinity(ONE, OTHER).at == jensen_shannon(ONE, OTHER).at == 2
    assert kolmogorov_smirnov(ONE, OTHER).at == 2


@pytest.mark.parametrize("measure", [l_infinity, jensen_shannon, kolmogorov_smirnov])
def test_distances_lie_between_nothing_and_one(measure):
    assert measure(ONE, ONE).value == pytest.approx(0, abs=1e-12)
    assert measure((5, 0), (0, 9)).value == pytest.approx(1)


@pytest.mark.parametrize("measure", [l_infinity, jensen_shannon, kolmogorov_smirnov])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.2, 0.3, 0.4), tuple([0.05] * 20)])
def test_chance_brings_samples_further_apart_once_in_a_thousand_times(measure, shares):
    chance = np.random.default_rng(1)
    pairs = zip(
        chance.multinomial(300, shares, 2000).tolist(),
        chance.multinomial(900, shares, 2000).tolist(),
        strict=True,
    )
    found = [measure(one, other) for one, other in pairs]
    beyond = sum(distance.value > distance.chance for distance in found)
    assert beyond <= 8
    assert max(distance.value for distance in found) > found[0].chance / 3
