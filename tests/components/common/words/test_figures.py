"""Figures: one wording of sizes, shares and times."""

import pytest

from components.common.words import figures


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (32_100, "32.1 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (13_471_636, "13.5 MB"),
        (2_000_000_000, "2 GB"),
        (1_500_000_000_000, "1.5 TB"),
        (2_500_000_000_000_000, "2,500 TB"),
    ],
)
def test_sizes_are_in_powers_of_a_thousand(size_bytes: int, shown: str) -> None:
    assert figures.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [
        (0, "0 s"),
        (0.043, "0.04 s"),
        (0.997, "1 s"),
        (0.2, "0.2 s"),
        (4.2, "4.2 s"),
        (9.6, "10 s"),
        (59.4, "59 s"),
        (59.9, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3599.6, "1 h 0 min"),
        (3725, "1 h 2 min"),
    ],
)
def test_durations_are_in_the_unit_that_fits(duration_s: float, shown: str) -> None:
    assert figures.seconds(duration_s) == shown


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [(40, "40 s"), (119, "119 s"), (120, "2 min"), (5 * 3600, "5 h"), (3 * 86400, "3 d")],
)
def test_ages_have_one_unit(duration_s: float, shown: str) -> None:
    assert figures.age(duration_s) == shown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.percent(0.9774), "97.7 %"),
        (figures.percent(0.123, digits=0), "12 %"),
        (figures.interval(0.957, 0.9844), "95.7 % to 98.4 %"),
        (figures.spread(0.974, 0.957, 0.984), "97.4 % ± 1.7"),
        (figures.growth(100, 90), "-10.0 %"),
        (figures.points(0.0123), "1.23 points"),
        (figures.points(0.01), "1 point"),
        (figures.signed_points(0.012), "+1.2"),
        (figures.signed_points(-0.0044), "-0.44"),
        (figures.milliseconds(0.0213), "0.0213 ms"),
        (figures.milliseconds(1234.5), "1,234 ms"),
        (figures.significant(1200), "1,200"),
        (figures.significant(0.0000123), "0.0000123"),
        (figures.significant(0.9996), "1"),
        (figures.or_dash(None, figures.size), "-"),
        (figures.or_dash(0, figures.size), "0 bytes"),
    ],
)
def test_figures_are_worded_alike(shown: str, expected: str) -> None:
    assert shown == expected
