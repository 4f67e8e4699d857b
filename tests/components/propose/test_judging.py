"""What trials say of candidates."""

import pytest

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import SIZES, Budgets
from components.common.documents.ladder import Proposal, RankedCandidate, Trial
from components.common.documents.variant import DENSE, Variant
from components.propose.judging import judge_trials


@pytest.mark.parametrize("figure", ["size_bytes", "zipped_bytes", "xz_bytes", "zstd_bytes"])
def test_what_is_over_a_budget_of_size_is_no_finalist_whatever_its_codec(figure: str) -> None:
    sizes = {name: 1000 for name in SIZES}
    heavy, light = (
        RankedCandidate(candidate_id=id_, scheme="int8", right="f", **(sizes | {figure: count}))
        for id_, count in (("heavy", 1000), ("light", 999))
    )
    budgets = Budgets(accuracy_drop=0.02, **{figure: 999})
    whole = RankedCandidate(candidate_id=BASELINE_ID, scheme="float32", right="f", **sizes)
    proposal = Proposal(variant=Variant(id=DENSE, parent=None), rung=DENSE, level=0, candidates=())
    trial = Trial(proposal=proposal, examples=4, training_s=0, candidates=(whole, heavy, light))
    (judged,) = judge_trials([trial], budgets, task="image").values()
    assert {one.candidate_id for one in judged if one.within_budgets} == {"light"}
