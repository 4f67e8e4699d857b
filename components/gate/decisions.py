"""The decision: which candidate is blessed, why, and why not the others.

A candidate goes through three questions, and the first that it fails names it out: does it
exist and meet the budgets of size and speed; is it proven not inferior to float32 and to
the blessed model, and nowhere proven worse than a class or slice may be; is its own
accuracy enough. Only those that pass the first take part in the second, because each that
takes part costs the others some certainty.

Float32 and the blessed model each get Holm's procedure of their own: they are two claims,
each true with the stated confidence. So whether a candidate passes against float32 does
not depend on what is blessed, and a run repeated over unchanged data decides alike.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from components.common.documents import (
    BASELINE_ID,
    BlessedModel,
    CandidateVerdict,
    Comparison,
    Decision,
    Lineage,
    Verdict,
)
from components.common.statistics import (
    examples_for_power,
    provable_margin,
    required_examples,
)
from components.common.wording import listing, milliseconds, percent, points, size
from components.gate.comparisons import Reference, compare_with, count_pairs, find_losses
from components.gate.config import GateConfig
from components.gate.entrants import Correct, Entrant, TestSplit
from components.gate.gains import step_gains
from components.gate.power import acceptance_probability
from components.gate.selection import (
    check_accuracy,
    check_size_and_speed,
    find_dominator,
    rank,
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Blessed:
    """The blessed model on this run's test split.

    Attributes:
      model: what the registry's pointer says.
      correct: bool [n]; None where the two can't be compared.
      obstacle: why they can't.
    """

    model: BlessedModel
    correct: Correct | None
    obstacle: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Trial:
    """What the comparisons came to.

    Attributes:
      comparisons: by candidate.
      objections: by candidate, why it is out.
      required: the fewest test examples with which the budgets can be proven; None where
        nothing had to be compared.
      too_small: why nothing can be blessed, where the test split is smaller than that.
    """

    comparisons: Mapping[str, tuple[Comparison, ...]]
    objections: Mapping[str, tuple[str, ...]]
    required: int | None = None
    too_small: str = ""


def decide(
    entrants: Sequence[Entrant],
    split: TestSplit | None,
    budgets: GateConfig,
    *,
    blessed: Blessed | None,
    lineage: Lineage,
) -> Decision:
    """Decides.

    Args:
      entrants: all candidates, float32 among them.
      split: the test split; None where nothing could be evaluated.
      budgets: what is asked.
      blessed: the blessed model, if there is one.
      lineage: of the decision.
    """
    objections = {e.candidate_id: list(check_size_and_speed(e, budgets)) for e in entrants}
    contenders = [e for e in entrants if not objections[e.candidate_id]]
    trial = _try_accuracy(entrants, contenders, split, budgets, blessed)
    for entrant in contenders:
        objections[entrant.candidate_id] += trial.objections.get(entrant.candidate_id, ())
        objections[entrant.candidate_id] += check_accuracy(entrant, budgets)
    accepted = [e for e in entrants if not objections[e.candidate_id]]
    dominators = {e.candidate_id: find_dominator(e, accepted, budgets) for e in accepted}
    finalists = sorted(
        (e for e in accepted if dominators[e.candidate_id] is None),
        key=lambda e: rank(e, budgets),
    )
    winner = finalists[0] if finalists else None
    verdict = _verdict(winner, blessed)

    def reasons(entrant: Entrant) -> tuple[str, ...]:
        if entrant is winner:
            return _praise(entrant, accepted, trial.comparisons, budgets)
        if objections[entrant.candidate_id]:
            return tuple(objections[entrant.candidate_id])
        assert winner is not None
        return (_passed_over(entrant, dominators[entrant.candidate_id], winner, budgets),)

    power, power_note = _power(winner, contenders, entrants, split, budgets)
    return Decision(
        verdict=verdict,
        summary=_summary(verdict, winner, entrants, accepted, trial, budgets, blessed),
        winner=winner.candidate_id if winner else None,
        candidates=tuple(
            CandidateVerdict(
                candidate_id=entrant.candidate_id,
                accepted=entrant in finalists,
                reasons=reasons(entrant),
                comparisons=trial.comparisons.get(entrant.candidate_id, ()),
            )
            for entrant in entrants
        ),
        steps=step_gains(entrants),
        power=power,
        power_note=power_note,
        required_test_examples=trial.required,
        notes=(blessed.obstacle,) if blessed is not None and blessed.obstacle else (),
        blessed_before=blessed.model if blessed is not None else None,
        lineage=lineage,
    )


def _try_accuracy(
    entrants: Sequence[Entrant],
    contenders: Sequence[Entrant],
    split: TestSplit | None,
    budgets: GateConfig,
    blessed: Blessed | None,
) -> _Trial:
    """Compares all contenders with float32 and with the blessed model."""
    baseline = next((e for e in entrants if e.candidate_id == BASELINE_ID), None)
    if budgets.accuracy_drop is None:
        return _refuse_all(contenders, "The recipe states no accuracy budget.")
    if baseline is None or baseline.correct is None or split is None:
        return _refuse_all(contenders, "float32 could not be evaluated, so nothing compares.")
    alpha = 1 - budgets.confidence
    trials = list(_references(contenders, baseline, budgets, blessed))
    required = max(
        (
            required_examples(margin=reference.margin, alpha=alpha / len(rivals))
            for reference, rivals in trials
            if rivals
        ),
        default=None,
    )
    if required is not None and split.examples < required:
        too_small = _too_small(split.examples, required, trials, alpha)
        return dataclasses.replace(
            _refuse_all(contenders, too_small), required=required, too_small=too_small
        )
    comparisons: dict[str, list[Comparison]] = {e.candidate_id: [] for e in contenders}
    for reference, rivals in trials:
        for id_, comparison in compare_with(reference, rivals, alpha=alpha).items():
            comparisons[id_].append(comparison)
    for entrant in contenders:
        references = tuple(r for r, rivals in trials if entrant.candidate_id in rivals)
        comparisons[entrant.candidate_id] += find_losses(
            entrant.outcomes,
            references,
            split,
            class_drop=budgets.class_drop,
            slice_drop=budgets.slice_drop,
            alpha=alpha,
        )
    correct = {reference.name: reference.correct for reference, _ in trials}
    return _Trial(
        comparisons={id_: tuple(found) for id_, found in comparisons.items()},
        objections={
            e.candidate_id: tuple(_object(e, comparisons[e.candidate_id], correct))
            for e in contenders
        },
        required=required,
    )


def _references(
    contenders: Sequence[Entrant], baseline: Entrant, budgets: GateConfig, blessed: Blessed | None
) -> Iterator[tuple[Reference, dict[str, Correct]]]:
    """Yields each reference with the contenders that it is to be compared with.

    A model is not compared with itself: it is no sample from which to infer that the two
    are alike.
    """
    assert budgets.accuracy_drop is not None
    yield (
        Reference(name=BASELINE_ID, correct=baseline.outcomes, margin=budgets.accuracy_drop),
        {e.candidate_id: e.outcomes for e in contenders if e is not baseline},
    )
    if blessed is not None and blessed.correct is not None:
        yield (
            Reference(
                name=f"blessed {blessed.model.version}",
                correct=blessed.correct,
                margin=budgets.blessed_accuracy_drop or budgets.accuracy_drop,
            ),
            {
                e.candidate_id: e.outcomes
                for e in contenders
                if e.measured_model.sha256 != blessed.model.model_sha256
            },
        )


def _refuse_all(contenders: Sequence[Entrant], objection: str) -> _Trial:
    return _Trial(comparisons={}, objections={e.candidate_id: (objection,) for e in contenders})


def _too_small(
    examples: int,
    required: int,
    trials: Sequence[tuple[Reference, Mapping[str, Correct]]],
    alpha: float,
) -> str:
    rivals = max(len(rivals) for _, rivals in trials)
    margin = min(reference.margin for reference, _ in trials)
    provable = provable_margin(examples=examples, alpha=alpha / rivals)
    return (
        f"The test split has {examples} examples, but to prove a drop below {points(margin)} for "
        f"{rivals} candidates takes at least {required}, even where no prediction differs: label "
        f"more pictures, request fewer schemes, or state an accuracy_drop above {provable:.3f}."
    )


def _object(
    entrant: Entrant, comparisons: Sequence[Comparison], references: Mapping[str, Correct]
) -> Iterator[str]:
    """Yields a sentence or two for each comparison that a candidate did not pass."""
    for comparison in comparisons:
        if comparison.passed:
            continue
        if comparison.lower_bound is not None:
            yield (
                f"It is worse than {comparison.reference} by {points(comparison.drop)} over "
                f"{comparison.examples} examples, and by more than "
                f"{points(comparison.lower_bound)} with {percent(1 - comparison.alpha)} "
                "confidence; "
                f"{points(comparison.margin)} are allowed."
            )
            continue
        pairs = count_pairs(references[comparison.reference], entrant.outcomes)
        yield f"{_drop_sentence(comparison)} {_remedy(comparison, pairs.discordance)}"


def _drop_sentence(comparison: Comparison) -> str:
    seen = (
        f"loses {points(comparison.drop)} of accuracy"
        if comparison.drop > 0
        else f"gains {points(-comparison.drop)} of accuracy"
        if comparison.drop < 0
        else "is as accurate"
    )
    return (
        f"Against {comparison.reference} it {seen} over {comparison.examples} test examples, but "
        f"the loss may be {points(comparison.upper_bound)} ({percent(1 - comparison.alpha)} "
        f"confidence), and it must be proven to lie below {points(comparison.margin)}."
    )


def _remedy(comparison: Comparison, discordance: float) -> str:
    if comparison.drop >= comparison.margin:
        return "What was seen is over the budget already: train longer, or compress less."
    needed = examples_for_power(
        discordance=discordance,
        drop=max(comparison.drop, 0.0),
        margin=comparison.margin,
        alpha=comparison.alpha,
    )
    return (
        "What was seen is within the budget: were it the true loss, about "
        f"{needed:,} test examples would prove it four times in five."
    )


def _verdict(winner: Entrant | None, blessed: Blessed | None) -> Verdict:
    if winner is None:
        return "not_blessed"
    if blessed is not None and winner.measured_model.sha256 == blessed.model.model_sha256:
        return "already_blessed"
    return "blessed"


def _measure(entrant: Entrant, budgets: GateConfig) -> str:
    """Returns a candidate's objective, in words."""
    if budgets.objective == "latency_ms":
        assert entrant.latency_ms is not None
        return f"{milliseconds(entrant.latency_ms)} an inference"
    if budgets.objective == "zipped_bytes":
        return f"{size(entrant.measured_model.zipped_bytes)} zipped"
    return size(entrant.measured_model.size_bytes)


def _superlative(budgets: GateConfig) -> str:
    return "fastest" if budgets.objective == "latency_ms" else "smallest"


def _praise(
    winner: Entrant,
    accepted: Sequence[Entrant],
    comparisons: Mapping[str, tuple[Comparison, ...]],
    budgets: GateConfig,
) -> tuple[str, ...]:
    among = (
        "It alone meets every budget"
        if len(accepted) == 1
        else f"It is the {_superlative(budgets)} of the {len(accepted)} that meet every budget"
    )
    proofs = (
        f"Against {comparison.reference} its loss of accuracy, {points(comparison.drop)} here, is "
        f"proven to lie below {points(comparison.upper_bound)} ({percent(1 - comparison.alpha)} "
        f"confidence); {points(comparison.margin)} are allowed."
        for comparison in comparisons.get(winner.candidate_id, ())
    )
    return (f"{among}: {_measure(winner, budgets)}.", *proofs)


def _passed_over(
    entrant: Entrant, dominator: Entrant | None, winner: Entrant, budgets: GateConfig
) -> str:
    if dominator is not None:
        return (
            f"It meets every budget, but is neither smaller nor faster than "
            f"{dominator.candidate_id}, which is as accurate or more."
        )
    comparative = "faster" if budgets.objective == "latency_ms" else "smaller"
    return (
        f"It meets every budget, but {winner.candidate_id} is {comparative}: "
        f"{_measure(winner, budgets)} against {_measure(entrant, budgets)}."
    )


def _power(
    winner: Entrant | None,
    contenders: Sequence[Entrant],
    entrants: Sequence[Entrant],
    split: TestSplit | None,
    budgets: GateConfig,
) -> tuple[float | None, str]:
    """Returns the test's power, for the winner or else the candidate that comes next."""
    rivals = [e for e in contenders if e.candidate_id != BASELINE_ID]
    baseline = next((e for e in entrants if e.candidate_id == BASELINE_ID), None)
    if not rivals or baseline is None or baseline.correct is None or split is None:
        return None, ""
    if budgets.accuracy_drop is None:
        return None, ""
    subject = winner if winner in rivals else min(rivals, key=lambda e: rank(e, budgets))
    assert subject is not None
    discordance = count_pairs(baseline.outcomes, subject.outcomes).discordance
    power = acceptance_probability(
        examples=split.examples,
        margin=budgets.accuracy_drop,
        alpha=(1 - budgets.confidence) / len(rivals),
        drop=0.0,
        discordance=discordance,
    )
    return power, (
        f"A candidate as accurate as float32 that differs from it on {percent(discordance)} of "
        f"the examples, as {subject.candidate_id} does, is accepted with a probability of "
        f"{percent(power)}: {split.examples} test examples, a margin of "
        f"{points(budgets.accuracy_drop)}, {percent(budgets.confidence)} confidence shared by "
        f"{len(rivals)} candidates."
    )


def _summary(
    verdict: Verdict,
    winner: Entrant | None,
    entrants: Sequence[Entrant],
    accepted: Sequence[Entrant],
    trial: _Trial,
    budgets: GateConfig,
    blessed: Blessed | None,
) -> str:
    if winner is None:
        return f"Nothing is blessed. {_why_nothing(entrants, trial, budgets)}"
    accuracy = winner.measured_accuracy
    facts = (
        f"{_measure(winner, budgets)}, accuracy {percent(accuracy.value)} "
        f"({percent(accuracy.low)} to {percent(accuracy.high)})"
    )
    if verdict == "already_blessed":
        assert blessed is not None
        return (
            f"{winner.candidate_id} wins, and is already blessed as version "
            f"{blessed.model.version}: {facts}."
        )
    return (
        f"{winner.candidate_id} is blessed, the {_superlative(budgets)} of {len(accepted)} "
        f"candidates that meet every budget out of {len(entrants)}: {facts}."
    )


def _why_nothing(entrants: Sequence[Entrant], trial: _Trial, budgets: GateConfig) -> str:
    if budgets.accuracy_drop is None:
        return (
            "The recipe states no accuracy budget: state budgets.accuracy_drop, the largest loss "
            "against float32 to accept, as a share (0.02 is two points)."
        )
    if trial.too_small:
        return trial.too_small
    return f"None of {listing([e.candidate_id for e in entrants])} meets every budget."
