"""Candidates that lose nothing against float32, and are of no use all the same."""

import dataclasses

import numpy as np
import pytest

from components.common.statistics.exact_tests import required_gains, required_hits
from tests.components.gate.cases import bless, decide_on, make_entrant, verdict_on

RARE = np.repeat([0, 1], [380, 20])
"""Labels of a test split: 380 of `bar` and 20 of `cross`."""
NAMES = ("float16", "dynamic_range", "int8", "pruned-int8")


def predict(labels: np.ndarray, *, hits: dict[int, int]) -> np.ndarray:
    """Returns outcomes that are right on so many examples of each class."""
    correct = np.zeros(len(labels), dtype=np.bool_)
    for label, count in hits.items():
        correct[np.flatnonzero(labels == label)[:count]] = True
    return correct


def decide(labels: np.ndarray, correct: np.ndarray, baseline: np.ndarray | None = None, **budgets):
    """Decides on float32 and an int8 that is smaller."""
    reference = correct if baseline is None else baseline
    return decide_on(
        make_entrant("float32", reference, size_bytes=4000),
        make_entrant("int8", correct),
        labels=labels,
        **budgets,
    )


def test_a_model_that_always_gives_one_answer_is_not_blessed():
    decision = decide(RARE, predict(RARE, hits={0: 380}))
    assert (decision.verdict, decision.winner) == ("not_blessed", None)
    accepted, reasons = verdict_on(decision, "int8")
    assert not accepted
    assert (
        "over 400 test examples, always answering bar has an accuracy of 95.0 %, it has 95.0 %"
        in reasons
    )
    assert "(train.class_weights: balanced)" in reasons
    assert "gets none of 20 test examples of class cross right" in reasons


def test_that_float32_itself_gives_one_answer_is_said():
    decision = decide(RARE, predict(RARE, hits={0: 380}))
    assert decision.summary.endswith(
        "not even float32 is shown to be better than always answering bar."
    )
    (note,) = decision.notes
    assert "float32 has 95.0 %, and is right on nothing but bar" in note
    assert "It is the training that falls short" in note


def test_what_is_better_by_chance_is_not_proven_better():
    few = required_gains(alpha=0.05 / 2)
    assert decide(RARE, predict(RARE, hits={0: 380, 1: few - 1})).winner is None
    decision = decide(RARE, predict(RARE, hits={0: 380, 1: few}))
    assert decision.winner == "int8"
    accepted, reasons = verdict_on(decision, "int8")
    assert "proven to be better than a constant answer (95.0 % confidence)" in reasons


def test_gains_are_weighed_against_losses():
    """16 of the rare class for 12 of the other: more right than wrong, and no proof."""
    decision = decide(RARE, predict(RARE, hits={0: 368, 1: 16}))
    assert decision.winner is None
    assert "it has 96.0 %" in verdict_on(decision, "int8")[1]
    # Of float32 it is said as well, and that it does know the other class.
    assert "float32 has 96.0 %. It is the training" in decision.notes[0]


def test_a_candidate_is_judged_by_itself_and_not_by_float32():
    """The margin is wide enough to lose the whole class."""
    decision = decide(
        RARE,
        predict(RARE, hits={0: 380}),
        baseline=predict(RARE, hits={0: 380, 1: 20}),
        accuracy_drop=0.1,
    )
    assert (decision.verdict, decision.winner) == ("blessed", "float32")
    assert "not shown to be better than a constant answer" in verdict_on(decision, "int8")[1]
    assert decision.notes == ()


def test_where_every_class_counts_the_same_the_proof_is_of_the_mean_recall():
    """It loses more of the frequent class than it gains of the rare one."""
    correct = predict(RARE, hits={0: 350, 1: 15})
    assert decide(RARE, correct).winner is None
    decision = decide(RARE, correct, balanced=True)
    assert decision.winner == "int8"
    _, reasons = verdict_on(decision, "int8")
    assert "always answering bar has a mean recall of 50.0 %, it has 83.6 %" in reasons


def test_a_mean_recall_that_may_be_chance_is_no_proof():
    decision = decide(RARE, predict(RARE, hits={0: 350, 1: 6}), balanced=True)
    assert decision.winner is None
    _, reasons = verdict_on(decision, "int8")
    assert "not shown to be better" in reasons and "mean recall of 50.0 %, it has 61.1 %" in reasons
    assert "Give more examples of what is rare, or train longer" in reasons
    assert "class_weights" not in reasons


def test_among_balanced_classes_the_remedy_is_another_training():
    labels = np.arange(399) % 3
    decision = decide(labels, predict(labels, hits={0: 60, 1: 40, 2: 40}))
    _, reasons = verdict_on(decision, "int8")
    assert "Next to nothing was learned" in reasons and "balanced" not in reasons


def test_a_class_that_is_proven_worse_than_guessing_blocks():
    """Three classes; guessing misses 11 of one in a row with 1.2 %, of which 1.7 % are allowed."""
    enough = required_hits(share=2 / 3, alpha=0.05 / 3)
    assert enough == 11
    labels = np.repeat([0, 1, 2], [200, 200, enough])
    decision = decide(labels, predict(labels, hits={0: 190, 1: 190}))
    assert decision.winner is None
    _, reasons = verdict_on(decision, "int8")
    assert "none of 11 test examples of class disc right" in reasons
    assert "worse than guessing among 3 classes (98.3 % confidence)" in reasons
    assert "class_weights: balanced" in reasons


def test_a_class_that_is_not_rare_is_not_called_so():
    labels = np.repeat([0, 1, 2], 100)
    decision = decide(labels, predict(labels, hits={0: 100, 1: 100}))
    _, reasons = verdict_on(decision, "int8")
    assert "none of 100 test examples of class disc right" in reasons
    assert "Look at its examples" in reasons and "balanced" not in reasons


def test_a_class_with_too_few_examples_to_block_is_told_wherever_the_verdict_is():
    labels = np.repeat([0, 1, 2], [200, 200, 10])
    decision = decide(labels, predict(labels, hits={0: 190, 1: 190}))
    assert decision.winner == "int8"
    assert decision.summary.endswith("It gets nothing right of disc (0 of 10).")
    (note,) = decision.notes
    assert "int8 gets nothing right of disc (0 of 10): too few test examples" in note
    correct = predict(labels, hits={0: 190, 1: 190})
    champion = bless(make_entrant("int8", correct), correct)
    again = decide_on(
        make_entrant("float32", correct, size_bytes=4000),
        make_entrant("int8", correct),
        labels=labels,
        blessed=champion,
    )
    assert again.verdict == "already_blessed"
    assert again.summary.endswith("It gets nothing right of disc (0 of 10).")


def test_a_class_without_a_test_example_is_not_held_against_anyone():
    labels = np.repeat([0, 1], [200, 200])
    decision = decide(labels, predict(labels, hits={0: 190, 1: 190}))
    assert decision.winner == "int8" and decision.notes == ()


def test_the_recall_of_the_worst_class_must_be_proven_where_a_budget_says_so():
    labels = np.repeat([0, 1, 2], [150, 150, 100])
    correct = predict(labels, hits={0: 150, 1: 150, 2: 90})
    # 90 of 100 prove 82.3 % for the one that is tested last, at the whole of alpha.
    assert decide(labels, correct, min_class_recall=0.82).winner == "int8"
    decision = decide(labels, correct, min_class_recall=0.85)
    assert decision.winner is None
    _, reasons = verdict_on(decision, "int8")
    assert "Class disc is right on 90 of 100 test examples (90.0 %)" in reasons
    assert "under the 85.0 % of budgets.min_class_recall" in reasons
    assert "test examples of the class prove it four times in five." in reasons


def test_a_recall_that_so_few_examples_can_never_prove_is_told_how_many_it_takes():
    labels = np.repeat([0, 1, 2], [195, 195, 10])
    correct = predict(labels, hits={0: 195, 1: 195, 2: 10})
    _, reasons = verdict_on(decide(labels, correct, min_class_recall=0.8), "int8")
    needed = required_hits(share=0.8, alpha=0.05 / 2)
    assert f"fewer than {needed} never do" in reasons
    labels = np.repeat([0, 1, 2], [195, 195, needed])
    correct = predict(labels, hits={0: 195, 1: 195, 2: needed})
    assert decide(labels, correct, min_class_recall=0.8).winner == "int8"


def test_a_class_without_a_test_example_meets_no_recall():
    labels = np.repeat([0, 1], [200, 200])
    decision = decide(labels, predict(labels, hits={0: 200, 1: 200}), min_class_recall=0.1)
    assert decision.winner is None
    assert "Class disc has no test example" in verdict_on(decision, "int8")[1]


@pytest.mark.parametrize(
    ("candidates", "balanced", "draws"),
    [
        pytest.param(1, False, 600, id="one"),
        pytest.param(4, False, 600, id="four", marks=pytest.mark.slow),
        pytest.param(2, True, 150, id="mean recall", marks=pytest.mark.slow),
    ],
)
def test_candidates_no_better_than_a_constant_answer_are_seldom_blessed(
    candidates, balanced, draws
):
    """Each is as good as the constant answer, by mistakes of its own.

    Of the frequent class it gets 5 in 100 wrong; and of the other right what makes up for it,
    example by example or share by share.
    """
    random = np.random.default_rng(5)
    blessed, gain = 0, 0.05 if balanced else 0.45
    for _ in range(draws):
        labels = (random.random(300) < 0.1).astype(np.int64)
        entrants = []
        for name in ("float32", *NAMES[:candidates]):
            chance = random.random(len(labels))
            correct = np.where(labels == 0, chance >= 0.05, chance < gain)
            size = 4000 if name == "float32" else 1000
            entrants.append(make_entrant(name, correct, size_bytes=size))
        budgets = {"size_bytes": 3000, "accuracy_drop": 0.5, "balanced": balanced}
        blessed += decide_on(*entrants, labels=labels, **budgets).winner is not None
    # Three standard errors of 5 %.
    assert blessed / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_what_was_wrong_with_a_training_is_told_once_with_the_verdict():
    labels = np.arange(399) % 3
    correct = predict(labels, hits={0: 120, 1: 120, 2: 120})
    faulty = {"training_faults": ("Its loss exploded",)}
    entrants = [
        dataclasses.replace(make_entrant(id_, correct), **(faulty if "pruned" in id_ else {}))
        for id_ in ("float32", "int8", "pruned-float32", "pruned-int8")
    ]
    decision = decide_on(*entrants, labels=labels)
    assert decision.notes == ("Of the pruned model: Its loss exploded.",)
