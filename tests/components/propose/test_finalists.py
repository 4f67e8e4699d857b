"""Who goes to the proof, and what comes of it where few pictures say who."""

from collections.abc import Sequence

from components.propose.finalists import choose_finalists
from components.propose.judging import Judged
from components.propose.known import Known
from tests.benchmarks.ranking import rank
from tests.components.propose.worlds import make_config


def judge(number: int, *, lost: int, won: int = 0) -> Judged:
    return Judged(
        candidate_id=f"c{number}",
        variant_id=f"c{number}",
        scheme="int8",
        weight=float(number),
        lost=lost,
        won=won,
        examples=1000,
        margin=0.02,
        room=0.0,
        within_budgets=True,
    )


def choose(*judged: Judged, most: int) -> Sequence[str]:
    config = make_config(finalists=most)
    by_variant = {one.variant_id: (one,) for one in judged}
    known = Known(config=config, trials={}, judged=by_variant, climbs=())
    return [one.candidate_id for one in choose_finalists(known)]


def test_of_many_those_go_that_lie_evenly_between_the_lightest_and_the_surest() -> None:
    ladder = [judge(number, lost=20 - number) for number in range(9)]
    assert choose(*ladder, most=3) == ["c0", "c4", "c8"]
    assert choose(*ladder, most=5) == ["c0", "c2", "c4", "c6", "c8"]
    assert choose(*ladder, most=1) == ["c0"]


def test_what_changes_fewer_answers_for_the_same_loss_is_surer_to_hold() -> None:
    loose, tight = judge(1, lost=40, won=25), judge(2, lost=15)
    assert loose.drop == tight.drop and loose.risk > tight.risk
    assert choose(loose, tight, most=5) == ["c1", "c2"]


def test_the_more_pictures_rank_the_more_is_proven_and_the_lighter() -> None:
    few, many = (rank(validation=count, test=1000, ladders=60) for count in (100, 1000))
    assert many.weight < few.weight - 0.05 and many.blessed > few.blessed
    assert min(few.kept, many.kept) >= 0.95
