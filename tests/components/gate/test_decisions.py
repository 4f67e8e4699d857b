import dataclasses
import re

import numpy as np
import pytest

from components.common.documents.decision import SIZES, Budgets
from components.common.statistics.noninferiority import drop_upper_bound, required_examples
from components.gate.entrants import Entrant
from tests.components.gate.cases import (
    EXAMPLES,
    baseline_correct,
    bless,
    correct_with,
    decide_on,
    float32,
    make_entrant,
    verdict_on,
)

GOOD = correct_with(lost=3, gained=2)
POOR = correct_with(lost=40, gained=2)


def int8(correct=GOOD, **figures) -> Entrant:
    return make_entrant("int8", correct, **{"size_bytes": 1100, **figures})


def float16(correct=GOOD, **figures) -> Entrant:
    return make_entrant("float16", correct, **{"size_bytes": 2000, **figures})


def test_the_smallest_that_is_proven_not_inferior_is_blessed():
    decision = decide_on(float32(), float16(), int8())
    assert (decision.verdict, decision.winner) == ("blessed", "int8")
    assert "int8 is blessed: the smallest of" in decision.summary
    assert "1.1 kB zipped" in decision.summary
    accepted, reasons = verdict_on(decision, "int8")
    assert accepted
    assert "loses 0.1 points over 1000 test examples" in reasons


def test_what_is_proven_is_called_a_gain_where_even_the_bound_is_one():
    decision = decide_on(float32(), int8(correct_with(lost=0, gained=40)))
    _, reasons = verdict_on(decision, "int8")
    assert re.search(
        r"gains 4 points over 1000 .* is proven to gain more than [23]\.\d+ points", reasons
    )
    assert "-" not in reasons
    _, reasons = verdict_on(decide_on(float32(), int8()), "int8")
    assert re.search(r"is proven to lose less than [\d.]+ points .* where 2 points are", reasons)


def test_a_worse_candidate_is_refused_with_its_figures_and_a_remedy():
    decision = decide_on(float32(), float16(), int8(POOR))
    assert decision.winner == "float16"
    accepted, reasons = verdict_on(decision, "int8")
    assert not accepted
    assert "Against float32 it loses 3.8 points over 1000 test examples" in reasons
    assert "must lie below 2 points" in reasons
    assert "over the budget" in reasons
    (comparison,) = decision.candidates[2].comparisons
    assert comparison.drop == pytest.approx(0.038)
    assert not comparison.passed and comparison.upper_bound > 0.02


def test_a_loss_that_more_examples_would_settle_is_told_how_many():
    decision = decide_on(float32(), int8(correct_with(lost=22, gained=10)))
    assert decision.verdict == "not_blessed" or decision.winner == "float32"
    _, reasons = verdict_on(decision, "int8")
    needed = int(re.search(r"about ([\d,]+) test examples", reasons)[1].replace(",", ""))
    assert needed > EXAMPLES


def test_comparisons_carry_the_bound_at_their_share_of_alpha():
    decision = decide_on(float32(), float16(), int8(correct_with(lost=8, gained=2)))
    comparisons = {v.candidate_id: v.comparisons for v in decision.candidates}
    assert comparisons["float32"] == ()
    (first,), (second,) = comparisons["float16"], comparisons["int8"]
    assert (first.alpha, second.alpha) == pytest.approx((0.025, 0.05))
    assert second.upper_bound == drop_upper_bound(8, 2, examples=EXAMPLES, alpha=second.alpha)


def test_a_bound_lies_below_the_margin_exactly_where_a_comparison_passed():
    random = np.random.default_rng(4)
    for _ in range(50):
        lost, gained = random.integers(0, 25, 4), random.integers(0, 20, 4)
        names = ("float16", "dynamic_range", "int8", "pruned-int8")
        entrants = [
            make_entrant(name, correct_with(lost=int(a), gained=int(b)))
            for name, a, b in zip(names, lost, gained, strict=True)
        ]
        for verdict in decide_on(float32(), *entrants).candidates[1:]:
            (comparison,) = verdict.comparisons
            assert comparison.passed == (comparison.upper_bound < comparison.margin)


def test_float32_wins_where_nothing_smaller_is_accepted():
    decision = decide_on(float32(), int8(POOR))
    assert (decision.verdict, decision.winner) == ("blessed", "float32")
    assert "it alone meets every budget, out of 2 candidates" in decision.summary


def test_float32_must_meet_the_budgets_as_well():
    decision = decide_on(float32(), int8(POOR), size_bytes=3000)
    assert (decision.verdict, decision.winner) == ("not_blessed", None)
    assert "over the 3,000 of budgets.size_bytes" in verdict_on(decision, "float32")[1]


def test_without_an_accuracy_budget_nothing_is_blessed():
    decision = decide_on(float32(), int8(), accuracy_drop=None)
    assert (decision.verdict, decision.winner) == ("not_blessed", None)
    assert "state budgets.accuracy_drop" in decision.summary
    assert decision.power is None
    assert [step.step for step in decision.steps] == ["int8"]


@pytest.mark.parametrize("figure", ["size_bytes", "zipped_bytes", "xz_bytes", "zstd_bytes"])
def test_a_candidate_over_a_size_budget_is_out(figure):
    decision = decide_on(float32(), float16(), int8(size_bytes=900), **{figure: 999})
    assert decision.winner == "int8"
    accepted, reasons = verdict_on(decision, "float16")
    assert not accepted and f"over the 999 of budgets.{figure}" in reasons
    assert f"2 kB {SIZES[figure]} (2,000 bytes)" in reasons
    # It takes no part in the tests, so int8 has all of alpha.
    assert decision.candidates[2].comparisons[0].alpha == pytest.approx(0.05)


def test_what_is_too_large_for_a_slow_codec_counts_as_it_is():
    large = float16().measured_model.model_copy(update={"xz_bytes": None})
    ((name, actual, budget),) = Budgets(xz_bytes=1999).exceeded_sizes(large)
    assert (name, actual, budget) == ("xz_bytes", 2000, 1999)
    assert not list(Budgets(xz_bytes=2000).exceeded_sizes(large))


def test_a_candidate_over_the_latency_budget_is_out():
    decision = decide_on(float32(), float16(latency_ms=0.4), int8(latency_ms=0.6), latency_ms=0.5)
    assert decision.winner == "float16"
    assert "takes 0.6 ms (p50, one thread), over the 0.5 ms" in verdict_on(decision, "int8")[1]


def test_a_latency_that_was_not_measured_meets_no_budget():
    decision = decide_on(float32(), int8(latency_ms=None), latency_ms=5.0)
    assert decision.winner == "float32"
    assert "was not measured" in verdict_on(decision, "int8")[1]
    assert decide_on(float32(), int8(latency_ms=None)).winner == "int8"


def test_min_accuracy_is_held_against_the_low_end_of_the_interval():
    # 94.9 % of 1000; the interval begins at 93.4 %.
    assert decide_on(float32(), int8(), min_accuracy=0.93).winner == "int8"
    decision = decide_on(float32(), int8(), min_accuracy=0.94)
    assert decision.winner is None
    assert "may be as low as 93.4 %" in verdict_on(decision, "int8")[1]


def test_a_candidate_that_could_not_be_made_is_told_so_and_costs_no_alpha():
    failed = Entrant(
        candidate_id="float16",
        variant="dense",
        scheme="float16",
        failure="The converter fell over.",
    )
    decision = decide_on(float32(), failed, int8())
    assert decision.winner == "int8"
    assert "The converter fell over." in verdict_on(decision, "float16")[1]
    assert decision.candidates[2].comparisons[0].alpha == pytest.approx(0.05)


def test_without_float32_nothing_can_be_compared():
    failed = Entrant(
        candidate_id="float32", variant="dense", scheme="float32", failure="LiteRT refused it."
    )
    decision = decide_on(failed, int8())
    assert decision.verdict == "not_blessed"
    assert "float32 could not be evaluated" in decision.summary


@pytest.mark.parametrize("candidates", [1, 3])
def test_a_test_split_too_small_blesses_nothing_and_names_the_number(candidates):
    names = ("float16", "dynamic_range", "int8")[:candidates]
    needed = required_examples(margin=0.02, alpha=0.05 / candidates)

    def decide_with(examples: int):
        entrants = [make_entrant(n, baseline_correct(examples), size_bytes=900) for n in names]
        return decide_on(float32(examples), *entrants)

    decision = decide_with(needed - 1)
    assert (decision.verdict, decision.winner) == ("not_blessed", None)
    assert decision.required_test_examples == needed
    assert f"takes at least {needed}" in decision.summary
    assert not any(verdict.accepted for verdict in decision.candidates)
    assert decide_with(needed).verdict == "blessed"
    # The drop that is named instead could be proven.
    named = float(re.search(r"accuracy_drop of ([\d.]+) or more", decision.summary)[1])
    examples = needed - 1
    entrants = [make_entrant(n, baseline_correct(examples)) for n in names]
    assert decide_on(float32(examples), *entrants, accuracy_drop=named).winner


def test_the_objective_decides_among_the_accepted():
    entrants = (
        float32(),
        float16(size_bytes=2000, zipped_bytes=900, latency_ms=0.9),
        int8(size_bytes=1100, zipped_bytes=1000, latency_ms=0.8),
        make_entrant("dynamic_range", GOOD, size_bytes=1500, latency_ms=0.3),
    )
    winners = {
        objective: decide_on(*entrants, objective=objective).winner
        for objective in ("size_bytes", "zipped_bytes", "latency_ms")
    }
    assert winners == {
        "size_bytes": "int8",
        "zipped_bytes": "float16",
        "latency_ms": "dynamic_range",
    }


def test_equal_objectives_fall_to_the_other_measures_and_then_the_id():
    first = make_entrant("float16", GOOD, size_bytes=1100, zipped_bytes=1000, latency_ms=0.9)
    second = make_entrant("int8", GOOD, size_bytes=1000, zipped_bytes=1000, latency_ms=0.9)
    assert decide_on(float32(), first, second).winner == "int8"
    twin = make_entrant("dynamic_range", GOOD, size_bytes=1000, zipped_bytes=1000, latency_ms=0.9)
    assert decide_on(float32(), twin, second).winner == "dynamic_range"


def test_a_dominated_candidate_is_dropped():
    decision = decide_on(float32(), float16(latency_ms=0.99), int8())
    accepted, reasons = verdict_on(decision, "float16")
    assert not accepted
    assert "neither smaller nor faster than int8" in reasons


def test_a_faster_or_more_accurate_candidate_is_not_dominated():
    decision = decide_on(
        float32(),
        float16(latency_ms=0.9),
        make_entrant("dynamic_range", baseline_correct(), size_bytes=1500),
        int8(),
    )
    assert decision.winner == "int8"
    for id_ in ("float16", "dynamic_range"):
        accepted, reasons = verdict_on(decision, id_)
        assert accepted
        assert "int8 is smaller: 1.1 kB zipped against" in reasons


def test_the_same_winner_as_before_is_already_blessed():
    decision = decide_on(float32(), int8(), blessed=bless(int8(), GOOD))
    assert (decision.verdict, decision.winner) == ("already_blessed", "int8")
    assert decision.blessed_before.generation == 7
    assert decision.notes == ()
    assert decision.blessed_before.version in decision.summary


def test_what_is_blessed_does_not_change_whether_float32_is_matched():
    """A run repeated over the same data must bless what it blessed the first time."""
    random = np.random.default_rng(11)
    for _ in range(100):
        lost, gained = random.integers(0, 20, 3), random.integers(0, 12, 3)
        entrants = [float32()] + [
            make_entrant(name, correct_with(lost=int(a), gained=int(b)), size_bytes=size)
            for name, a, b, size in zip(
                ("float16", "dynamic_range", "int8"),
                lost,
                gained,
                (2000, 1200, 1100),
                strict=True,
            )
        ]
        first = decide_on(*entrants)
        if first.winner is None or first.winner == "float32":
            continue
        (winner,) = [e for e in entrants if e.candidate_id == first.winner]
        again = decide_on(*entrants, blessed=bless(winner, winner.correct))
        assert (again.verdict, again.winner) == ("already_blessed", first.winner)


def test_a_candidate_worse_than_the_blessed_model_is_refused():
    better = correct_with(lost=0, gained=45)
    champion = make_entrant("int8", better, content="champion")
    decision = decide_on(float32(), int8(), blessed=bless(champion, better))
    assert decision.verdict == "not_blessed"
    version = champion.measured_model.sha256[:12]
    for id_ in ("float32", "int8"):
        assert f"Against blessed {version} it loses" in verdict_on(decision, id_)[1]
    (note,) = decision.notes
    assert "Even float32" in note and version in note
    assert (
        decide_on(
            float32(), int8(), blessed=bless(champion, better), blessed_accuracy_drop=0.08
        ).winner
        == "int8"
    )


def test_what_the_blessed_model_was_trained_on_does_not_count_for_it():
    """It gets right what float32 gets wrong, and has seen just that."""
    better = correct_with(lost=0, gained=45)
    champion = make_entrant("int8", better, content="champion")
    unseen = np.arange(EXAMPLES) >= 300
    decision = decide_on(float32(), int8(), blessed=bless(champion, better, unseen=unseen))
    assert (decision.verdict, decision.winner) == ("blessed", "int8")
    (note,) = decision.notes
    assert f"with the blessed version {decision.blessed_before.version} on 700 of 1000" in note
    against_float, against_blessed = decision.candidates[1].comparisons
    assert (against_float.examples, against_blessed.examples) == (1000, 700)
    # Nor does it shield a candidate that is worse on the rest.
    worse = decide_on(
        float32(),
        make_entrant("int8", correct_with(lost=15, gained=0)),
        blessed=bless(champion, better, unseen=unseen),
    )
    assert "over 700 test examples" in verdict_on(worse, "int8")[1]


def test_classes_and_slices_are_judged_on_what_the_blessed_model_has_not_seen():
    """Of the slice `old` it has seen all, of each class some."""
    better = correct_with(lost=0, gained=45)
    champion = make_entrant("int8", better, content="champion")
    slices = ["old"] * 300 + ["new"] * 700
    budgets = {"class_drop": 0.01, "slice_drop": 0.01, "blessed_accuracy_drop": 0.1}
    unfair = decide_on(float32(), int8(), blessed=bless(champion, better), slices=slices, **budgets)
    assert "slice old" in verdict_on(unfair, "int8")[1]
    unseen = np.arange(EXAMPLES) >= 300
    fair = decide_on(
        float32(), int8(), blessed=bless(champion, better, unseen=unseen), slices=slices, **budgets
    )
    assert fair.winner == "int8"


def test_with_too_little_that_it_has_not_seen_the_blessed_model_is_not_compared_with():
    better = correct_with(lost=0, gained=45)
    champion = make_entrant("int8", better, content="champion")
    unseen = np.arange(EXAMPLES) >= 950
    decision = decide_on(float32(), int8(), blessed=bless(champion, better, unseen=unseen))
    assert (decision.verdict, decision.winner) == ("blessed", "int8")
    (note,) = decision.notes
    assert "were not compared with the blessed version" in note
    assert "seen 950 of 1000 test examples" in note
    assert [c.reference for c in decision.candidates[1].comparisons] == ["float32"]


def test_a_blessed_model_that_cannot_be_compared_is_noted():
    champion = bless(int8(content="champion"), None, obstacle="It knows other classes.")
    decision = decide_on(float32(), int8(), blessed=champion)
    assert decision.verdict == "blessed"
    assert decision.notes == ("It knows other classes.",)
    assert [c.reference for c in decision.candidates[1].comparisons] == ["float32"]


def lose_class(label: int, share: float) -> np.ndarray:
    """Returns outcomes that lose a share of one class and gain as many in the others."""
    correct = baseline_correct()
    members = np.flatnonzero(correct & (np.arange(EXAMPLES) % 3 == label))
    correct[members[: round(share * len(members))]] = False
    return correct


def test_a_class_that_is_significantly_worse_blocks():
    correct = lose_class(1, 0.1)
    assert decide_on(float32(), int8(correct), accuracy_drop=0.06).winner == "int8"
    decision = decide_on(float32(), int8(correct), accuracy_drop=0.06, class_drop=0.05)
    assert decision.winner == "float32"
    _, reasons = verdict_on(decision, "int8")
    assert "worse than float32, class cross: it loses 9.61 points over 333 examples" in reasons
    (overall, loss) = decision.candidates[1].comparisons
    assert overall.passed and not loss.passed
    assert 0.05 < loss.lower_bound < loss.drop < loss.upper_bound


def test_a_class_that_may_only_be_worse_by_chance_does_not_block():
    decision = decide_on(float32(), int8(lose_class(1, 0.06)), accuracy_drop=0.06, class_drop=0.05)
    assert decision.winner == "int8"


def test_a_slice_that_is_significantly_worse_blocks():
    slices = ["night" if index % 5 == 0 else "" for index in range(EXAMPLES)]
    correct = baseline_correct()
    correct[np.arange(0, EXAMPLES, 5)[40:80]] = False
    entrants = (float32(), int8(correct))
    assert decide_on(*entrants, slices=slices, accuracy_drop=0.1).winner == "int8"
    decision = decide_on(*entrants, slices=slices, accuracy_drop=0.1, slice_drop=0.1)
    assert decision.winner == "float32"
    assert "float32, slice night" in verdict_on(decision, "int8")[1]


def test_the_power_is_that_of_the_winner_at_its_discordance():
    decision = decide_on(float32(), float16(POOR), int8(correct_with(lost=5, gained=5)))
    assert decision.winner == "int8"
    assert 0.9 < decision.power < 1
    assert "differs from it on 1.0 % of the examples, as int8 does" in decision.power_note
    assert "shared by 2 candidates" in decision.power_note


def test_a_decision_is_the_same_whatever_the_order_of_the_candidates():
    entrants = [float32(), float16(), int8(), make_entrant("dynamic_range", POOR)]
    first = decide_on(*entrants)
    second = decide_on(*reversed(entrants))
    assert second.winner == first.winner and second.summary == first.summary
    assert sorted(second.candidates, key=lambda v: v.candidate_id) == sorted(
        first.candidates, key=lambda v: v.candidate_id
    )


def test_a_decision_survives_being_written_and_read(tmp_path):
    decision = decide_on(float32(), int8(), blessed=bless(int8(), GOOD))
    large = dataclasses.replace(bless(int8(), GOOD))
    model = large.model.model_copy(update={"generation": 2**100})
    decision = decision.model_copy(update={"blessed_before": model})
    decision.write(tmp_path)
    assert type(decision).read(tmp_path) == decision


def test_the_decision_says_what_was_asked():
    decision = decide_on(float32(), int8(), accuracy_drop=0.03, size_bytes=5_000, confidence=0.9)
    assert decision.budgets == Budgets(accuracy_drop=0.03, size_bytes=5_000, confidence=0.9)
