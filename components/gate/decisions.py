"""The decision: which candidate is blessed, why, and why not the others.

A candidate must answer three questions: does it exist and meet the budgets of size and
speed; is it proven not inferior to float32 and to the blessed model, and nowhere proven
worse than a class or slice may be; is it of any use by itself: accurate enough, proven
better than a constant answer, and right on something of every class. Only those that pass
the first take part in the second, because each that takes part costs the others certainty.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from components.common.documents.base import Lineage
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import CandidateVerdict, Decision, Verdict
from components.common.words.figures import percent
from components.gate.case import Case
from components.gate.classes import ClassResult, forgotten_classes
from components.gate.comparisons import count_pairs
from components.gate.entrants import Entrant
from components.gate.explanations import (
    describe_objective,
    explain_better,
    explain_constant_baseline,
    explain_defeat,
    explain_domination,
    explain_power,
    explain_victory,
    summarize_forgotten,
    superlative,
    warn_of_forgotten,
)
from components.gate.gains import step_gains
from components.gate.outcomes import sum_up
from components.gate.power import acceptance_probability
from components.gate.selection import (
    check_accuracy,
    check_size_and_speed,
    check_withdrawn,
    find_dominator,
    rank,
)
from components.gate.trials import Trial, try_accuracy
from components.gate.worth import Worth, judge_worth


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Selection:
    """What became of the candidates.

    Attributes:
      contenders: those that meet the budgets of size and speed.
      trial: how their accuracy compares.
      worth: whether they are of any use by themselves.
      objections: by candidate, why it is out; none for the accepted.
      accepted: those that meet every budget.
      finalists: the accepted that no other one makes pointless.
      winner: the best of them by the objective.
    """

    contenders: Sequence[Entrant]
    trial: Trial
    worth: Worth
    objections: Mapping[str, Sequence[str]]
    accepted: Sequence[Entrant]
    finalists: Sequence[Entrant]
    winner: Entrant | None


def decide(case: Case, *, lineage: Lineage) -> Decision:
    """Decides; the verdicts are in the order of the candidates."""
    selection = _select(case)
    winner, blessed = selection.winner, case.blessed
    power, power_note = _power(case, selection)
    return Decision(
        verdict=_verdict(case, winner),
        summary=_summary(case, selection),
        budgets=case.budgets.budgets(),
        winner=winner.candidate_id if winner is not None else None,
        candidates=tuple(_judge(case, selection, entrant) for entrant in case.entrants),
        steps=step_gains(case.entrants, case.models, allowed_drop=case.budgets.accuracy_drop),
        power=power,
        power_note=power_note,
        required_test_examples=selection.trial.required,
        notes=tuple(_notes(case, selection)),
        blessed_before=blessed.model if blessed is not None else None,
        lineage=lineage,
    )


def _select(case: Case) -> _Selection:
    budgets = case.budgets
    objections = {
        e.candidate_id: [*check_size_and_speed(e, budgets), *check_withdrawn(e, case.withdrawn)]
        for e in case.entrants
    }
    # The cheap questions come first because each contender costs the others certainty: Holm divides
    # alpha among them. What is too large, too slow or withdrawn is therefore never tested. The
    # questions after the trial only add objections, so no answer to one changes another's.
    contenders = [e for e in case.entrants if not objections[e.candidate_id]]
    trial, worth = try_accuracy(case, contenders), judge_worth(case, contenders)
    for entrant in contenders:
        objections[entrant.candidate_id] += trial.objections[entrant.candidate_id]
        objections[entrant.candidate_id] += worth.objections[entrant.candidate_id]
        objections[entrant.candidate_id] += check_accuracy(entrant, budgets)
    accepted = [e for e in contenders if not objections[e.candidate_id]]
    finalists = [e for e in accepted if find_dominator(e, accepted, budgets) is None]
    return _Selection(
        contenders=contenders,
        trial=trial,
        worth=worth,
        objections=objections,
        accepted=accepted,
        finalists=finalists,
        winner=min(finalists, key=lambda e: rank(e, budgets), default=None),
    )


def _judge(case: Case, selection: _Selection, entrant: Entrant) -> CandidateVerdict:
    id_ = entrant.candidate_id
    reasons = tuple(selection.objections[id_] or _weigh(case, selection, entrant))
    comparisons = tuple(selection.trial.comparisons.get(id_, ()))
    return CandidateVerdict(
        candidate_id=id_,
        finalist=entrant.finalist,
        accepted=entrant in selection.finalists,
        summary=sum_up(entrant, case.budgets, comparisons=comparisons, reasons=reasons),
        reasons=reasons,
        comparisons=comparisons,
    )


def _weigh(case: Case, selection: _Selection, entrant: Entrant) -> Iterator[str]:
    """Yields why an accepted candidate won or did not."""
    winner, accepted, worth = selection.winner, selection.accepted, selection.worth
    assert winner is not None, "there is a winner where there is an accepted candidate"
    dominator = find_dominator(entrant, accepted, case.budgets)
    if entrant is winner:
        comparisons = selection.trial.comparisons[entrant.candidate_id]
        yield from explain_victory(entrant, len(accepted), comparisons, case.budgets)
        assert worth.constant is not None, "nothing is accepted without a test split"
        yield explain_better(worth.constant, worth.proofs[entrant.candidate_id])
    elif dominator is not None:
        yield explain_domination(dominator)
    else:
        yield explain_defeat(entrant, winner, case.budgets)


def _verdict(case: Case, winner: Entrant | None) -> Verdict:
    if winner is None:
        return "not_blessed"
    return "already_blessed" if case.is_blessed(winner) else "blessed"


def _power(case: Case, selection: _Selection) -> tuple[float | None, str]:
    """Returns the power of the test against float32, and what it was computed from.

    Of the winner, or else of the contender that comes first by the objective.
    """
    rivals = [e for e in selection.contenders if e.candidate_id != BASELINE_ID]
    margin, baseline, split = case.budgets.accuracy_drop, case.baseline, case.split
    if not rivals or margin is None or baseline is None or split is None:
        return None, ""
    first = min(rivals, key=lambda e: rank(e, case.budgets))
    subject = selection.winner if selection.winner in rivals else first
    assert subject is not None
    discordance = count_pairs(baseline.outcomes, subject.outcomes).discordance
    # As if the subject had the smallest p-value of all, where Holm's procedure is strictest: so the
    # power told is the least that it may have.
    power = acceptance_probability(
        examples=split.examples,
        margin=margin,
        alpha=case.alpha / len(rivals),
        drop=0.0,
        discordance=discordance,
    )
    return power, explain_power(
        power,
        subject=subject,
        discordance=discordance,
        examples=split.examples,
        rivals=len(rivals),
        budgets=case.budgets,
    )


def _notes(case: Case, selection: _Selection) -> Iterator[str]:
    """Yields what is to be known of float32, the trainings, the winner, the blessed model."""
    worth, baseline = selection.worth, case.baseline
    if baseline is not None and _baseline_fails(worth):
        assert worth.constant is not None and worth.baseline is not None
        yield explain_constant_baseline(worth.constant, worth.baseline, baseline, case.budgets)
    faults = {entrant.variant: entrant.training_faults for entrant in case.entrants}
    for variant, found in faults.items():
        yield from (f"Of the {variant} model: {fault}." for fault in found)
    if (forgotten := _forgotten(case, selection)) and selection.winner is not None:
        yield warn_of_forgotten(selection.winner.candidate_id, forgotten)
    yield from _notes_on_blessed(case, selection)


def _baseline_fails(worth: Worth) -> bool:
    return worth.baseline is not None and not worth.baseline.passed


def _forgotten(case: Case, selection: _Selection) -> Sequence[ClassResult]:
    """Returns the classes of which the winner gets no test example right."""
    if selection.winner is None or case.split is None:
        return ()
    return forgotten_classes(selection.winner, case.split)


def _notes_on_blessed(case: Case, selection: _Selection) -> Iterator[str]:
    """Yields what is to be known of the blessed model as a reference."""
    blessed = case.blessed
    if blessed is None:
        return
    if blessed.obstacle:
        yield blessed.obstacle
    yield from selection.trial.notes
    if any(
        not comparison.passed and comparison.reference != BASELINE_ID
        for comparison in selection.trial.comparisons.get(BASELINE_ID, ())
    ):
        yield (
            f"Even {BASELINE_ID} is not shown to match the blessed version "
            f"{blessed.model.version}: it is the new training that falls short, not what was made "
            "of it."
        )


def _summary(case: Case, selection: _Selection) -> str:
    winner = selection.winner
    if winner is None:
        return f"Nothing is blessed. {selection.trial.obstacle or _defeat(case, selection)}"
    accuracy = winner.measured_accuracy
    facts = (
        f"{describe_objective(winner, case.budgets)}, accuracy {percent(accuracy.value)} "
        f"({percent(accuracy.low)} to {percent(accuracy.high)})"
    )
    caveat = summarize_forgotten(_forgotten(case, selection))
    if case.blessed is not None and case.is_blessed(winner):
        version = case.blessed.model.version
        return f"{winner.candidate_id} wins and is already blessed, as {version}: {facts}.{caveat}"
    place = "it alone meets every budget"
    if (accepted := len(selection.accepted)) > 1:
        place = f"the {superlative(case.budgets)} of {accepted} that meet every budget"
    count = len(case.entrants)
    return f"{winner.candidate_id} is blessed: {place}, out of {count} candidates; {facts}.{caveat}"


def _defeat(case: Case, selection: _Selection) -> str:
    sentence = f"None of {len(case.entrants)} candidates meets every budget"
    constant = selection.worth.constant
    if constant is not None and _baseline_fails(selection.worth):
        sentence += (
            f"; not even {BASELINE_ID} is shown to be better than always answering "
            f"{constant.class_name}"
        )
    return f"{sentence}."
