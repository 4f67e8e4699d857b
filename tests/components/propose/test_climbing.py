import pytest

from components.propose.climbing import bounds, next_level

LEVELS = (0.5, 0.7, 0.8, 0.9)


def climb(strongest: float, *, resolution: float | None = None) -> tuple[list[float], float | None]:
    """Climbs where levels up to the strongest hold; returns what was tried, and what was found."""
    tried: list[float] = [0.8]
    outcomes = {0.8: strongest >= 0.8}
    while (level := next_level(outcomes, levels=LEVELS, resolution=resolution)) is not None:
        tried.append(level)
        outcomes[level] = level <= strongest
    return tried, bounds(outcomes)[0]


@pytest.mark.parametrize("strongest", [0.0, 0.5, 0.7, 0.8, 0.9])
def test_bisection_finds_the_strongest_level_that_holds_in_three_trials_at_most(
    strongest: float,
) -> None:
    tried, found = climb(strongest)
    assert found == (strongest or None)
    assert len(tried) <= 3 and len(set(tried)) == len(tried)


def test_between_two_levels_one_is_tried_as_close_as_was_asked_for() -> None:
    tried, found = climb(0.86, resolution=0.05)
    assert found == 0.85 and tried == [0.8, 0.9, 0.85]
    _, found = climb(0.86, resolution=0.02)
    assert found == 0.86


def test_what_a_stronger_level_shows_counts_more_than_a_milder_ones_bad_luck() -> None:
    outcomes = {0.7: False, 0.8: True}
    assert bounds(outcomes) == (0.8, None)
    assert next_level(outcomes, levels=LEVELS, resolution=None) == 0.9
