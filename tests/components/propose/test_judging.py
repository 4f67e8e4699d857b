"""What trials say of candidates."""

import pytest

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import SIZES, Budgets
from components.common.documents.ladder import Proposal, RankedCandidate, Trial
from components.common.documents.variant import DENSE, Variant
from components.common.statistics.noninferiority import inferiority_p_value, room_for_proof
from components.propose.judging import Judged, judge_trials
from tests.components.propose.worlds import make_config


@pytest.mark.parametrize("figure", ["size_bytes", "zipped_bytes", "xz_bytes", "zstd_bytes"])
def test_what_is_over_a_budget_of_size_is_no_finalist_whatever_its_codec(figure: str) -> None:
    sizes = {name: 1000 for name in SIZES}
    heavy, light = (
        RankedCandidate(candidate_id=id_, scheme="int8", right="f", **(sizes | {figure: count}))
        for id_, count in (("heavy", 1000), ("light", 999))
    )
    budgets = Budgets(accuracy_drop=0.02, **{figure: 999})
    config = make_config().model_copy(update={"budgets": budgets})
    whole = RankedCandidate(candidate_id=BASELINE_ID, scheme="float32", right="f", **sizes)
    proposal = Proposal(variant=Variant(id=DENSE, parent=None), rung=DENSE, level=0, candidates=())
    trial = Trial(proposal=proposal, examples=4, training_s=0, candidates=(whole, heavy, light))
    (judged,) = judge_trials([trial], config).values()
    assert {one.candidate_id for one in judged if one.within_budgets} == {"light"}


def judge(*, lost: int, won: int, room: float) -> Judged:
    return Judged(
        candidate_id="c",
        variant_id="c",
        scheme="int8",
        weight=1.0,
        lost=lost,
        won=won,
        examples=1000,
        margin=0.02,
        room=room,
        within_budgets=True,
    )


@pytest.mark.parametrize(
    ("discordance", "examples", "expected"),
    [(0.04, 1000, 0.0147), (0.04, 4000, 0.0074), (0.0, 1000, 0.0104), (0.02, 1000, 0.0104)],
    ids=["by hand", "of four times as many half", "no less than where the margin is lost", "there"],
)
def test_a_proof_asks_for_room_below_the_margin(
    discordance: float, examples: int, expected: float
) -> None:
    room = room_for_proof(discordance=discordance, margin=0.02, examples=examples, alpha=0.01)
    assert room == pytest.approx(expected, abs=5e-5)


def test_what_holds_by_a_hair_is_proven_by_a_hair_if_it_loses_as_much_on_test() -> None:
    room = room_for_proof(discordance=0.04, margin=0.02, examples=1000, alpha=0.01)
    assert judge(lost=22, won=18, room=room).holds
    assert inferiority_p_value(22, 18, examples=1000, margin=0.02) < 0.01
    assert not judge(lost=23, won=17, room=room).holds
    assert inferiority_p_value(23, 17, examples=1000, margin=0.02) > 0.01


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (15, "too near the margin of 2 points, of which a proof is expected to take 0.8 points"),
        (24, "over the margin of 2 points, though within noise"),
        (44, "over the margin of 2 points, beyond noise"),
    ],
)
def test_it_is_told_by_what_a_candidate_does_not_hold(lost: int, words: str) -> None:
    found = judge(lost=lost, won=0, room=0.008)
    assert not found.holds and found.describe_excess() == words
