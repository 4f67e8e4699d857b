"""Whether a candidate is of any use, however little it loses against float32.

Three claims, each true with the stated confidence. A candidate is proven better than the
best answer that looks at no example: that is always the most frequent class of the test
split, which does there at least as well as any other constant answer, so that choosing it
after the fact makes the proof no easier. By accuracy, that is McNemar's test, exact, with
Holm over the candidates. Where training lets every class count the same, the proof does as
well: it is of the mean recall, of which a constant answer has one over the number of
classes, by the mean of Clopper and Pearson's lower bounds, with Bonferroni over classes
and candidates.

It is not proven to do worse on a class than guessing would, by getting nothing of it right.

And where a budget says so, its recall of every class is proven: a claim about all classes
fails where it fails for one, so each is tested at the whole of alpha (R. Berger,
Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 1982).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from components.common.documents.candidate import BASELINE_ID
from components.common.statistics.exact_tests import (
    required_hits,
    share_lower_bound,
    share_p_value,
    superiority_p_value,
)
from components.common.statistics.noninferiority import holm
from components.gate.case import Case
from components.gate.classes import (
    ClassResult,
    ConstantAnswer,
    Proof,
    class_results,
    find_constant,
    forgotten_classes,
)
from components.gate.comparisons import count_pairs
from components.gate.entrants import Entrant, TestSplit
from components.gate.explanations import (
    explain_forgotten_class,
    explain_low_recall,
    explain_not_better,
    explain_untried_class,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worth:
    """What was found.

    Attributes:
      objections: by candidate, why it is out; none for one that passed.
      constant: the answer to be better than; None where nothing could be evaluated.
      proofs: by candidate, how it fared against that.
      baseline: how float32 would alone; None where it could not be evaluated.
    """

    objections: Mapping[str, Sequence[str]]
    constant: ConstantAnswer | None = None
    proofs: Mapping[str, Proof] = dataclasses.field(default_factory=dict)
    baseline: Proof | None = None


def judge_worth(case: Case, contenders: Sequence[Entrant]) -> Worth:
    """Puts the contenders, and float32 in any case, to the three questions."""
    objections: dict[str, list[str]] = {e.candidate_id: [] for e in contenders}
    split = case.split
    if split is None:
        return Worth(objections=objections)
    constant = find_constant(split)
    proofs = _prove_better(case, contenders, split, constant)
    for entrant in contenders:
        own, proof = objections[entrant.candidate_id], proofs[entrant.candidate_id]
        own += _find_forgotten(entrant, split, case)
        if not proof.passed:
            own.append(explain_not_better(constant, proof, case.budgets))
    for id_, objection in _check_recalls(case, contenders, split):
        objections[id_].append(objection)
    baseline = None
    if case.baseline is not None:
        baseline = _prove_better(case, [case.baseline], split, constant)[BASELINE_ID]
    return Worth(objections=objections, constant=constant, proofs=proofs, baseline=baseline)


def _prove_better(
    case: Case, entrants: Sequence[Entrant], split: TestSplit, constant: ConstantAnswer
) -> dict[str, Proof]:
    if case.budgets.balanced:
        return {
            e.candidate_id: _prove_recall(e, split, case.alpha / len(entrants)) for e in entrants
        }
    pairs = {e.candidate_id: count_pairs(constant.correct, e.outcomes) for e in entrants}
    p_values = {id_: superiority_p_value(pair.lost, pair.gained) for id_, pair in pairs.items()}
    return {
        id_: Proof(
            measure="accuracy",
            constant=constant.accuracy,
            own=constant.accuracy - pairs[id_].drop,
            alpha=step.alpha,
            passed=step.rejected,
        )
        for id_, step in holm(p_values, alpha=case.alpha).items()
    }


def _prove_recall(entrant: Entrant, split: TestSplit, alpha: float) -> Proof:
    """Proves that the mean recall of the classes that have a test example exceeds chance."""
    results = [result for result in class_results(entrant, split) if result.examples]
    bounds = [
        share_lower_bound(result.hits, result.examples, alpha=alpha / len(results))
        for result in results
    ]
    chance = 1 / len(results)
    return Proof(
        measure="mean recall",
        constant=chance,
        own=fmean(result.recall for result in results),
        alpha=alpha,
        passed=fmean(bounds) > chance,
    )


def _find_forgotten(entrant: Entrant, split: TestSplit, case: Case) -> Iterator[str]:
    """Yields an objection for each class that is proven to fare worse than by guessing.

    Guessing is right on one in so many as there are classes. The chance that any class is
    named which the candidate knows better, is alpha at most: Bonferroni over the classes.
    """
    classes, examples = len(split.class_names), len(split.labels)
    alpha = case.alpha / len(np.unique(split.labels))
    needed = required_hits(share=1 - 1 / classes, alpha=alpha) if classes > 1 else 1
    for result in forgotten_classes(entrant, split):
        if result.examples >= needed:
            yield explain_forgotten_class(
                result, case.budgets, classes=classes, examples=examples, alpha=alpha
            )


def _check_recalls(
    case: Case, contenders: Sequence[Entrant], split: TestSplit
) -> Iterator[tuple[str, str]]:
    """Yields candidate and objection where the recall of a class is not proven."""
    budget = case.budgets.min_class_recall
    if budget is None:
        return

    def p_value(result: ClassResult) -> float:
        return share_p_value(result.hits, result.examples, share=budget)

    # A claim about all classes holds where it holds for the class with the largest p-value; so that
    # one stands for its candidate, and Holm's procedure is over the candidates alone.
    worst = {e.candidate_id: max(class_results(e, split), key=p_value) for e in contenders}
    steps = holm({id_: p_value(result) for id_, result in worst.items()}, alpha=case.alpha)
    for id_, result in worst.items():
        if not result.examples:
            yield id_, explain_untried_class(result)
        elif not steps[id_].rejected:
            yield id_, explain_low_recall(result, budget=budget, alpha=steps[id_].alpha)
