"""The decision: which candidate is blessed, why, and why not the others.

A candidate must answer three questions: does it exist and meet the budgets of size and
speed; is it proven not inferior to float32 and to the blessed model, and nowhere proven
worse than a class or slice may be; is its own accuracy enough. Only those that pass the
first take part in the second, because each that takes part costs the others certainty.
"""

from collections.abc import Iterator, Sequence

from components.common.documents import (
    BASELINE_ID,
    CandidateVerdict,
    Decision,
    Lineage,
    Verdict,
)
from components.common.wording import percent
from components.gate.case import Case
from components.gate.comparisons import count_pairs
from components.gate.entrants import Entrant
from components.gate.explanations import (
    describe_objective,
    explain_defeat,
    explain_domination,
    explain_power,
    explain_victory,
    superlative,
)
from components.gate.gains import step_gains
from components.gate.power import acceptance_probability
from components.gate.selection import (
    check_accuracy,
    check_size_and_speed,
    find_dominator,
    rank,
)
from components.gate.trials import Trial, try_accuracy


def decide(case: Case, *, lineage: Lineage) -> Decision:
    """Decides; the verdicts are in the order of the candidates."""
    budgets = case.budgets
    objections = {e.candidate_id: [*check_size_and_speed(e, budgets)] for e in case.entrants}
    contenders = [e for e in case.entrants if not objections[e.candidate_id]]
    trial = try_accuracy(case, contenders)
    for entrant in contenders:
        objections[entrant.candidate_id] += trial.objections[entrant.candidate_id]
        objections[entrant.candidate_id] += check_accuracy(entrant, budgets)
    accepted = [e for e in case.entrants if not objections[e.candidate_id]]
    finalists = [e for e in accepted if find_dominator(e, accepted, budgets) is None]
    winner = min(finalists, key=lambda e: rank(e, budgets), default=None)
    verdict = _verdict(case, winner)
    power, power_note = _power(case, contenders, winner)
    return Decision(
        verdict=verdict,
        summary=_summary(case, verdict, winner, accepted, trial),
        winner=winner.candidate_id if winner is not None else None,
        candidates=tuple(
            CandidateVerdict(
                candidate_id=entrant.candidate_id,
                accepted=entrant in finalists,
                reasons=tuple(
                    objections[entrant.candidate_id]
                    or _compare_with_winner(case, entrant, winner, accepted, trial)
                ),
                comparisons=tuple(trial.comparisons.get(entrant.candidate_id, ())),
            )
            for entrant in case.entrants
        ),
        steps=step_gains(case.entrants),
        power=power,
        power_note=power_note,
        required_test_examples=trial.required,
        notes=(case.blessed.obstacle,) if case.blessed and case.blessed.obstacle else (),
        blessed_before=case.blessed.model if case.blessed else None,
        lineage=lineage,
    )


def _compare_with_winner(
    case: Case,
    entrant: Entrant,
    winner: Entrant | None,
    accepted: Sequence[Entrant],
    trial: Trial,
) -> Iterator[str]:
    """Yields why an accepted candidate won or did not."""
    assert winner is not None, "there is a winner where there is an accepted candidate"
    comparisons = trial.comparisons[entrant.candidate_id]
    dominator = find_dominator(entrant, accepted, case.budgets)
    if entrant is winner:
        yield from explain_victory(entrant, len(accepted), comparisons, case.budgets)
    elif dominator is not None:
        yield explain_domination(dominator)
    else:
        yield explain_defeat(entrant, winner, case.budgets)


def _verdict(case: Case, winner: Entrant | None) -> Verdict:
    if winner is None:
        return "not_blessed"
    return "already_blessed" if case.is_blessed(winner) else "blessed"


def _power(
    case: Case, contenders: Sequence[Entrant], winner: Entrant | None
) -> tuple[float | None, str]:
    """Returns the power of the test against float32, and what it was computed from.

    Of the winner, or else of the contender that comes first by the objective.
    """
    rivals = [e for e in contenders if e.candidate_id != BASELINE_ID]
    margin, baseline, split = case.budgets.accuracy_drop, case.baseline, case.split
    if not rivals or margin is None or baseline is None or split is None:
        return None, ""
    first = min(rivals, key=lambda e: rank(e, case.budgets))
    subject = winner if winner is not None and winner in rivals else first
    discordance = count_pairs(baseline.outcomes, subject.outcomes).discordance
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


def _summary(
    case: Case,
    verdict: Verdict,
    winner: Entrant | None,
    accepted: Sequence[Entrant],
    trial: Trial,
) -> str:
    if winner is None:
        return "Nothing is blessed. " + (
            trial.obstacle or f"None of {len(case.entrants)} candidates meets every budget."
        )
    accuracy = winner.measured_accuracy
    facts = (
        f"{describe_objective(winner, case.budgets)}, accuracy {percent(accuracy.value)} "
        f"({percent(accuracy.low)} to {percent(accuracy.high)})"
    )
    if verdict == "already_blessed":
        assert case.blessed is not None
        version = case.blessed.model.version
        return f"{winner.candidate_id} wins and is already blessed, as {version}: {facts}."
    return (
        f"{winner.candidate_id} is blessed: the {superlative(case.budgets)} of {len(accepted)} "
        f"that meet every budget, out of {len(case.entrants)} candidates; {facts}."
    )
