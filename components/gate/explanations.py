"""The decision in plain sentences: what was found, and what can be done about it."""

import math
from collections.abc import Iterator, Sequence

from components.common.documents.decision import Comparison
from components.common.statistics.exact_tests import (
    examples_for_share,
    required_hits,
    share_lower_bound,
)
from components.common.statistics.noninferiority import examples_for_power
from components.common.words.figures import milliseconds, percent, points, shown, size
from components.gate.classes import ClassResult, ConstantAnswer, Proof
from components.gate.config import GateConfig
from components.gate.entrants import Entrant

_IMBALANCED = 1.5
"""Times as many examples as a class has on average: more makes a class the largest by far, as
many times fewer a rare one."""


def explain_small_split(
    examples: int, required: int, *, rivals: int, margin: float, provable: float
) -> str:
    """Says why nothing can be proven on a test split, and what could be."""
    together = f"for {rivals} candidates at once " if rivals > 1 else ""
    return (
        f"The test split has {examples} examples, but to prove a drop below {points(margin)} "
        f"{together}takes at least {required}, even where no prediction differs: label more "
        "examples, give the test split a greater share, request fewer candidates, or state an "
        f"accuracy_drop of {(math.floor(1000 * provable) + 1) / 1000:g} or more."
    )


def explain_seen(version: str, examples: int, *, unseen: int, required: int) -> str:
    """Says on which test examples the blessed model could be compared with.

    Args:
      version: of the blessed model.
      examples: of the test split.
      unseen: how many of them its training has not seen.
      required: how many it takes.
    """
    if unseen >= required:
        return (
            f"The candidates were compared with the blessed version {version} on {unseen} of "
            f"{examples} test examples: splits have changed, and its training has seen the others "
            "or examples of their groups."
        )
    return (
        f"The candidates were not compared with the blessed version {version}: splits have "
        f"changed, its training has seen {examples - unseen} of {examples} test examples or "
        f"examples of their groups, and it takes {required} others. They stand against float32 "
        "alone."
    )


def explain_failure(comparison: Comparison, *, discordance: float = 0.0) -> str:
    """Says what a comparison showed that was not passed, and what would help.

    Args:
      comparison: of the whole split, or of a class or slice.
      discordance: share of examples on which exactly one of the two is right.
    """
    confidence = f"{percent(1 - comparison.alpha)} confidence"
    if comparison.lower_bound is not None:
        return (
            f"It is worse than {comparison.reference}: it loses {points(comparison.drop)} over "
            f"{comparison.examples} examples, more than {points(comparison.lower_bound)} with "
            f"{confidence}, where {points(comparison.margin)} are allowed."
        )
    return (
        f"Against {comparison.reference} it {_observed(comparison)} over {comparison.examples} "
        f"test examples, but it may lose {points(comparison.upper_bound)} ({confidence}), and "
        f"that must lie below {points(comparison.margin)}. {_remedy(comparison, discordance)}"
    )


def _observed(comparison: Comparison) -> str:
    if comparison.drop == 0:
        return "is as accurate"
    verb = "loses" if comparison.drop > 0 else "gains"
    return f"{verb} {points(abs(comparison.drop))}"


def _proven(comparison: Comparison) -> str:
    bound = comparison.upper_bound
    confidence = f"{percent(1 - comparison.alpha)} confidence"
    if bound < 0:
        return f"gain more than {points(-bound)} ({confidence})"
    allowed = f"where {points(comparison.margin)} are allowed"
    return f"lose less than {points(bound)} ({confidence}) {allowed}"


def _remedy(comparison: Comparison, discordance: float) -> str:
    if comparison.drop >= comparison.margin:
        return "The loss that was seen is over the budget: train longer, or compress less."
    needed = examples_for_power(
        discordance=discordance,
        drop=max(comparison.drop, 0.0),
        margin=comparison.margin,
        alpha=comparison.alpha,
    )
    return (
        "What was seen is within the budget: if it is the truth, about "
        f"{needed:,} test examples prove it four times in five."
    )


def explain_not_better(constant: ConstantAnswer, proof: Proof, budgets: GateConfig) -> str:
    """Says why a candidate is of no use although it may lose nothing against float32."""
    return (
        f"It is not shown to be better than a constant answer ({percent(1 - proof.alpha)} "
        f"confidence): {_against_constant(constant, proof, 'it')}. "
        f"{_remedy_for_constant(constant, budgets)}"
    )


def explain_better(constant: ConstantAnswer, proof: Proof) -> str:
    """Says what a candidate is proven to be better than."""
    return (
        f"It is proven to be better than a constant answer ({percent(1 - proof.alpha)} "
        f"confidence): {_against_constant(constant, proof, 'it')}."
    )


def explain_constant_baseline(
    constant: ConstantAnswer, proof: Proof, baseline: Entrant, budgets: GateConfig
) -> str:
    """Says that the training itself came to nothing."""
    nothing_else = ""
    if not (baseline.outcomes & ~constant.correct).any():
        nothing_else = f", and is right on nothing but {constant.class_name}"
    return (
        f"Not even float32 is shown to be better than a constant answer: "
        f"{_against_constant(constant, proof, 'float32')}{nothing_else}. It is the training that "
        f"falls short, not what was made of it. {_remedy_for_constant(constant, budgets)}"
    )


def _against_constant(constant: ConstantAnswer, proof: Proof, subject: str) -> str:
    article = "an" if proof.measure == "accuracy" else "a"
    return (
        f"over {len(constant.correct)} test examples, always answering {constant.class_name} has "
        f"{article} {proof.measure} of {percent(proof.constant)}, {subject} has "
        f"{percent(proof.own)}"
    )


def _remedy_for_constant(constant: ConstantAnswer, budgets: GateConfig) -> str:
    if constant.accuracy * constant.classes > _IMBALANCED:
        return _remedy_for_rare(budgets)
    return (
        "Next to nothing was learned: look at the training in the report, and train longer, from "
        "pretrained weights, or on more examples."
    )


def _remedy_for_rare(budgets: GateConfig) -> str:
    if budgets.balanced:
        return "Give more examples of what is rare, or train longer."
    return (
        "Give more examples of what is rare, or let every class count the same in training "
        "(train.class_weights: balanced)."
    )


def explain_forgotten_class(
    result: ClassResult, budgets: GateConfig, *, classes: int, examples: int, alpha: float
) -> str:
    """Says that a class is proven to fare worse than by guessing among all classes.

    Args:
      result: the candidate's on this class.
      budgets: the recipe's.
      classes: how many there are.
      examples: of all classes.
      alpha: of the proof.
    """
    remedy = "Look at its examples and what they are taken for, train longer, or give more of them."
    if result.examples * classes * _IMBALANCED < examples:
        remedy = _remedy_for_rare(budgets)
    return (
        f"It gets none of {result.examples} test examples of class {result.class_name} right, "
        f"which is worse than guessing among {classes} classes ({percent(1 - alpha)} confidence). "
        f"{remedy}"
    )


def warn_of_forgotten(candidate_id: str, forgotten: Sequence[ClassResult]) -> str:
    """Says which classes a candidate does not know, as far as so few examples can tell."""
    return (
        f"{candidate_id} gets nothing right of {_counted(forgotten)}: too few test examples to "
        "prove it worse than guessing there, and too few to trust it. Look at these classes "
        "before you ship, and give more examples of them."
    )


def summarize_forgotten(forgotten: Sequence[ClassResult]) -> str:
    return f" It gets nothing right of {_counted(forgotten)}." if forgotten else ""


def _counted(results: Sequence[ClassResult]) -> str:
    return shown([f"{result.class_name} (0 of {result.examples})" for result in results])


def explain_low_recall(result: ClassResult, *, budget: float, alpha: float) -> str:
    """Says why the recall of the worst class does not meet the budget, and what would help."""
    recall = result.recall
    bound = share_lower_bound(result.hits, result.examples, alpha=alpha)
    least = required_hits(share=budget, alpha=alpha)
    remedy = "Give more examples of the class, or train longer."
    if recall > budget:
        needed = examples_for_share(expected=recall, share=budget, alpha=alpha)
        remedy = (
            f"If what was seen is the truth, about {needed:,} test examples of the class prove it "
            "four times in five"
        )
        remedy += f"; fewer than {least:,} never do." if result.examples < least else "."
    return (
        f"Class {result.class_name} is right on {result.hits} of {result.examples} test examples "
        f"({percent(recall)}), but its recall may be as low as {percent(bound)} "
        f"({percent(1 - alpha)} confidence), under the {percent(budget)} of "
        f"budgets.min_class_recall. {remedy}"
    )


def explain_untried_class(result: ClassResult) -> str:
    return (
        f"Class {result.class_name} has no test example, so that its recall can't meet "
        "budgets.min_class_recall: give more examples of it."
    )


def describe_objective(entrant: Entrant, budgets: GateConfig) -> str:
    """Returns what a candidate has of the objective, in words."""
    if budgets.objective == "latency_ms":
        assert entrant.latency_ms is not None
        return f"{milliseconds(entrant.latency_ms)} an inference"
    if budgets.objective == "zipped_bytes":
        return f"{size(entrant.measured_model.zipped_bytes)} zipped"
    return size(entrant.measured_model.size_bytes)


def superlative(budgets: GateConfig) -> str:
    return "fastest" if budgets.objective == "latency_ms" else "smallest"


def explain_victory(
    winner: Entrant, accepted: int, comparisons: Sequence[Comparison], budgets: GateConfig
) -> Iterator[str]:
    """Yields why a candidate won, among so many that were accepted."""
    objective = describe_objective(winner, budgets)
    if accepted == 1:
        yield f"It alone meets every budget: {objective}."
    else:
        yield f"It is the {superlative(budgets)} of {accepted} that meet every budget: {objective}."
    for comparison in comparisons:
        yield (
            f"Against {comparison.reference} it {_observed(comparison)} over "
            f"{comparison.examples} test examples, and is proven to {_proven(comparison)}."
        )


def explain_domination(dominator: Entrant) -> str:
    return (
        f"It meets every budget, but is neither smaller nor faster than {dominator.candidate_id}, "
        "which is as accurate or more: dropped."
    )


def explain_defeat(loser: Entrant, winner: Entrant, budgets: GateConfig) -> str:
    comparative = "faster" if budgets.objective == "latency_ms" else "smaller"
    return (
        f"It meets every budget, but {winner.candidate_id} is {comparative}: "
        f"{describe_objective(winner, budgets)} against {describe_objective(loser, budgets)}."
    )


def explain_power(
    power: float,
    *,
    subject: Entrant,
    discordance: float,
    examples: int,
    rivals: int,
    budgets: GateConfig,
) -> str:
    """Says what the power is the chance of, and what it was computed from."""
    assert budgets.accuracy_drop is not None
    shared = f" shared by {rivals} candidates" if rivals > 1 else ""
    return (
        f"A candidate that is exactly as accurate as float32, but differs from it on "
        f"{percent(discordance)} of the examples, as {subject.candidate_id} does, has a chance of "
        f"{percent(power)} to be proven to keep within a margin of "
        f"{points(budgets.accuracy_drop)}: {examples} test examples, "
        f"{percent(budgets.confidence)} confidence{shared}."
    )
