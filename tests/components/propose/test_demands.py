"""What a trial must come to."""

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.ladder import Trial
from components.propose.demands import demand_accuracy
from components.propose.known import know
from components.propose.proposer import propose
from components.propose.rungs import RUNGS
from components.propose.variants import propose_variant
from tests.components.propose.worlds import World, make_config, propose_dense

CONFIG = make_config()


def try_dense() -> Trial:
    return World(3).try_variant(propose_dense(CONFIG), ())


def test_a_brief_training_must_not_be_hopeless_and_a_whole_one_must_hold() -> None:
    dense = try_dense()
    (float32,) = (one for one in dense.candidates if one.candidate_id == BASELINE_ID)
    accuracy = int(float32.right, 16).bit_count() / dense.examples
    proposals = [propose_variant(CONFIG, RUNGS[0], 0.8, brief=brief) for brief in (True, False)]
    found = [one.required_accuracy for one in demand_accuracy(proposals, know(CONFIG, [dense]))]
    margin = CONFIG.budgets.accuracy_drop
    assert margin is not None and found == [accuracy - 3 * margin, accuracy - margin]


def test_every_proposal_of_a_round_has_its_demand() -> None:
    proposals = propose(CONFIG, [try_dense()]).proposals
    assert proposals and None not in {one.required_accuracy for one in proposals}


def test_without_float32s_figures_nothing_is_demanded() -> None:
    dense = try_dense()
    unknown = tuple(
        one.model_copy(update={"failure": "no", "right": ""}) for one in dense.candidates
    )
    known = know(CONFIG, [dense.model_copy(update={"candidates": unknown})])
    (found,) = demand_accuracy([propose_variant(CONFIG, RUNGS[0], 0.8)], known)
    assert found.required_accuracy is None
