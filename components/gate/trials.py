"""The accuracy of all contenders against float32 and against the blessed model.

Each of the two references has Holm's procedure of its own: they are two claims, each true
with the stated confidence. So whether a candidate passes against float32 does not depend
on what is blessed, and a run repeated over unchanged data decides alike.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import Comparison
from components.common.statistics.noninferiority import provable_margin, required_examples
from components.gate.case import Case
from components.gate.comparisons import Reference, compare_with, find_losses
from components.gate.entrants import Correct, Entrant
from components.gate.explanations import explain_failure, explain_seen, explain_small_split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """What the comparisons came to.

    Attributes:
      comparisons: by candidate.
      objections: by candidate, why it is out; none for one that passed.
      required: the fewest test examples with which the budgets can be proven; None where
        nothing had to be compared.
      obstacle: why nothing could be compared at all.
      notes: on how the comparison was made.
    """

    comparisons: Mapping[str, Sequence[Comparison]]
    objections: Mapping[str, Sequence[str]]
    required: int | None = None
    obstacle: str = ""
    notes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class _Match:
    """A reference and those that have to be compared with it."""

    reference: Reference
    rivals: Mapping[str, Correct]


def try_accuracy(case: Case, contenders: Sequence[Entrant]) -> Trial:
    """Compares the contenders; float32 passes against itself, as does the blessed model."""
    if case.budgets.accuracy_drop is None:
        return _refuse(
            contenders,
            "The recipe states no accuracy budget: state budgets.accuracy_drop, the largest "
            "loss against float32 to accept, as a share (0.02 is two points).",
        )
    if case.baseline is None or case.split is None:
        return _refuse(contenders, "float32 could not be evaluated, so nothing can be compared.")
    matches = [match for match in _matches(case, contenders) if match.rivals]
    required = max((_required(match, case.alpha) for match in matches), default=None)
    if required is not None and case.split.examples < required:
        hardest = max(matches, key=lambda match: _required(match, case.alpha))
        rivals = len(hardest.rivals)
        obstacle = explain_small_split(
            case.split.examples,
            required,
            rivals=rivals,
            margin=hardest.reference.margin,
            provable=provable_margin(examples=case.split.examples, alpha=case.alpha / rivals),
        )
        return dataclasses.replace(_refuse(contenders, obstacle), required=required)
    fair, notes = _leave_out_seen(case, matches)
    comparisons = _compare(case, contenders, fair)
    references = {match.reference.name: match.reference for match in fair}
    return Trial(
        comparisons=comparisons,
        objections={
            entrant.candidate_id: [
                _objection(comparison, entrant, references)
                for comparison in comparisons[entrant.candidate_id]
                if not comparison.passed
            ]
            for entrant in contenders
        },
        required=required,
        notes=notes,
    )


def _leave_out_seen(
    case: Case, matches: Sequence[_Match]
) -> tuple[Sequence[_Match], Sequence[str]]:
    """Returns the matches with enough examples that the reference's training has not seen.

    Also returns what is to be said where it has seen some.
    """
    kept, notes = [], []
    for match in matches:
        examples, unseen = len(match.reference.correct), match.reference.examples
        required = _required(match, case.alpha)
        if unseen == examples or unseen >= required:
            kept.append(match)
        if unseen < examples:
            assert case.blessed is not None
            version = case.blessed.model.version
            notes.append(explain_seen(version, examples, unseen=unseen, required=required))
    return kept, notes


def _refuse(contenders: Sequence[Entrant], obstacle: str) -> Trial:
    return Trial(
        comparisons={},
        objections={entrant.candidate_id: (obstacle,) for entrant in contenders},
        obstacle=obstacle,
    )


def _matches(case: Case, contenders: Sequence[Entrant]) -> Iterator[_Match]:
    """Yields who is compared with whom; never a model with itself, which needs no proof."""
    drop, baseline, blessed = case.budgets.accuracy_drop, case.baseline, case.blessed
    assert drop is not None and baseline is not None
    yield _Match(
        Reference(name=BASELINE_ID, correct=baseline.outcomes, margin=drop),
        {e.candidate_id: e.outcomes for e in contenders if e is not baseline},
    )
    if blessed is not None and blessed.correct is not None:
        yield _Match(
            Reference(
                name=f"blessed {blessed.model.version}",
                correct=blessed.correct,
                margin=case.budgets.blessed_accuracy_drop or drop,
                fair=blessed.unseen,
            ),
            {e.candidate_id: e.outcomes for e in contenders if not case.is_blessed(e)},
        )


def _required(match: _Match, alpha: float) -> int:
    return required_examples(margin=match.reference.margin, alpha=alpha / len(match.rivals))


def _compare(
    case: Case, contenders: Sequence[Entrant], matches: Sequence[_Match]
) -> dict[str, list[Comparison]]:
    assert case.split is not None
    comparisons: dict[str, list[Comparison]] = {e.candidate_id: [] for e in contenders}
    for match in matches:
        results = compare_with(match.reference, match.rivals, alpha=case.alpha)
        for id_, comparison in results.items():
            comparisons[id_].append(comparison)
    for entrant in contenders:
        comparisons[entrant.candidate_id] += find_losses(
            entrant.outcomes,
            [match.reference for match in matches if entrant.candidate_id in match.rivals],
            case.split,
            class_drop=case.budgets.class_drop,
            slice_drop=case.budgets.slice_drop,
            alpha=case.alpha,
        )
    return comparisons


def _objection(
    comparison: Comparison, entrant: Entrant, references: Mapping[str, Reference]
) -> str:
    reference = references.get(comparison.reference)
    if reference is None:
        return explain_failure(comparison)
    discordance = reference.pairs(entrant.outcomes).discordance
    return explain_failure(comparison, discordance=discordance)
