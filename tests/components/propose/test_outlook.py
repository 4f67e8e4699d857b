import pytest

from components.propose.judging import Judged
from components.propose.outlook import Seen, expect_loss, expect_weight


def judge(scheme: str, *, lost: int, weight: float) -> Judged:
    return Judged(
        candidate_id=scheme,
        variant_id="some",
        scheme=scheme,
        weight=weight,
        lost=lost,
        won=0,
        examples=1000,
        margin=0.02,
        room=0.0,
        within_budgets=True,
    )


FINE, COARSE = judge("int8", lost=2, weight=100.0), judge("coarse", lost=12, weight=60.0)


def see(loss: float, **more: float) -> Seen:
    return Seen(loss=loss, candidates=[FINE, COARSE], **more)


def test_of_one_level_losses_grow_as_the_rung_says_and_of_two_as_these_show() -> None:
    assert expect_loss(0.8, {0.4: see(0.01)}, steepness=3.0) == pytest.approx(0.08)
    seen = {0.4: see(0.01), 0.8: see(0.02)}
    assert expect_loss(0.6, seen, steepness=3.0) == pytest.approx(0.015)
    assert expect_loss(0.8, seen, steepness=3.0) == pytest.approx(0.02)
    assert expect_loss(0.6, {}, steepness=3.0) is None


def test_what_gained_by_luck_is_not_expected_to_gain_elsewhere() -> None:
    assert expect_loss(0.8, {0.4: see(-0.01)}, steepness=3.0) == 0


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(0.004, 30.0), (0.015, 50.0), (0.03, None)],
    ids=["the coarse one holds", "the fine one alone", "none"],
)
def test_a_level_weighs_what_its_lightest_does_that_is_expected_to_hold(
    loss: float, expected: float | None
) -> None:
    seen = {0.5: see(0.0)}
    assert expect_weight(0.7, seen, loss=loss, share=0.4, shares={0.5: 0.8}) == expected


def test_of_a_level_seen_on_another_parent_losses_add_up_and_weights_are_in_proportion() -> None:
    seen = {0.5: see(0.0, offset=0.01, scale=0.5)}
    assert expect_weight(0.5, seen, loss=0.0, share=0.8, shares={0.5: 0.8}) == 50.0
