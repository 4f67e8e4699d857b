"""One sentence on every candidate."""

import numpy as np

from components.common.documents.decision import Decision
from components.gate.entrants import Entrant
from tests.components.gate.cases import correct_with, decide_on, float32, make_entrant

GOOD = correct_with(lost=2, gained=2)


def summaries(decision: Decision) -> dict[str, str]:
    return {verdict.candidate_id: verdict.summary for verdict in decision.candidates}


def test_every_candidate_has_one_sentence_that_says_what_it_lost_or_won_by() -> None:
    decision = decide_on(
        float32(),
        make_entrant("int8", correct_with(lost=40, gained=5), size_bytes=1000, zipped_bytes=800),
        make_entrant("float16", GOOD, size_bytes=2000, zipped_bytes=1500),
        make_entrant("dynamic_range", GOOD, size_bytes=1000, zipped_bytes=900),
        make_entrant("pruned-float32", GOOD, size_bytes=4000, zipped_bytes=3000, latency_ms=2.5),
        make_entrant("pruned-int8", GOOD, size_bytes=900, zipped_bytes=1900, latency_ms=0.5),
        Entrant(candidate_id="pruned-float16", variant="pruned", scheme="float16", failure="No."),
        zipped_bytes=2000,
        latency_ms=2.0,
    )
    found = summaries(decision)
    assert decision.winner == "dynamic_range"
    assert found["int8"].startswith(
        "Against float32 it loses 35 of 1,000 test examples net, and may lose "
    )
    assert found["int8"].endswith(" points where 2 points are allowed.")
    assert found["float32"] == "It misses the budget by 2 kB zipped."
    assert found["pruned-float32"] == "It misses the budget by 1 kB zipped and 0.5 ms an inference."
    assert found["float16"].startswith("It meets every budget, but is neither smaller nor faster")
    assert found["pruned-int8"].startswith("It meets every budget, but dynamic_range is smaller:")
    assert found["dynamic_range"].startswith("It is the smallest of 3 that meet every budget")
    assert found["pruned-float16"] == "There is nothing to judge: No."
    for sentence in found.values():
        assert "\n" not in sentence


def test_of_several_losses_the_worst_is_told() -> None:
    """All that int8 loses are examples of one class, so that it fails there and on the whole."""
    labels = (np.arange(1000) >= 900).astype(np.int64)
    decision = decide_on(
        float32(),
        make_entrant("int8", correct_with(lost=60, gained=0)),
        labels=labels,
        class_drop=0.05,
    )
    assert summaries(decision)["int8"].startswith("Against float32, class ")
    assert (
        "it loses 60 of 100 test examples net, and is proven to lose" in summaries(decision)["int8"]
    )
