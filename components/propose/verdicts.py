"""One sentence of each step of the ladder: why it lost, was not tried, or goes to the proof."""

from collections.abc import Collection, Iterator, Sequence

from components.common.documents.ladder import RungState, RungVerdict
from components.common.documents.variant import DENSE
from components.common.words.figures import points, size
from components.propose.climbing import bounds
from components.propose.climbs import Attempt, Climb
from components.propose.config import ProposeConfig
from components.propose.judging import Judged
from components.propose.known import Known
from components.propose.rungs import RUNGS


def explain_idle(config: ProposeConfig) -> Iterator[str]:
    """Yields why rungs are not tried for this objective."""
    objective = config.budgets.objective
    for rung in RUNGS:
        if rung.kind in config.steps and objective not in rung.helps:
            yield f"{rung.kind} is not tried for {objective}: {rung.idle}."


def tell_verdicts(
    known: Known, *, finalists: Sequence[Judged], asked: Collection[str]
) -> Iterator[RungVerdict]:
    """Yields a verdict of the dense model, and for every climb of its levels, mild first.

    Args:
      known: what the trials say.
      finalists: where the search is over; empty before.
      asked: the variants of the round to come.
    """
    yield from _tell_dense(known, finalists)
    left = "the search ended before" if finalists else "the search has not come to it"
    for climb in known.climbs:
        for attempt in sorted(climb.attempts, key=lambda one: (_level(one), one.brief)):
            yield _tell_attempt(known, climb, attempt, finalists)
        yield from _tell_untried(known, climb, asked, left=left)


def _level(attempt: Attempt) -> float:
    return attempt.trial.proposal.level


def _tell_dense(known: Known, finalists: Sequence[Judged]) -> Iterator[RungVerdict]:
    trial = known.trials.get(DENSE)
    if trial is not None:
        attempt = Attempt(trial=trial, candidates=known.judged.get(DENSE, ()))
        yield _verdict(known, attempt, None, finalists)


def _tell_attempt(
    known: Known, climb: Climb, attempt: Attempt, finalists: Sequence[Judged]
) -> RungVerdict:
    return _verdict(known, attempt, climb, finalists)


def _verdict(
    known: Known, attempt: Attempt, climb: Climb | None, finalists: Sequence[Judged]
) -> RungVerdict:
    own = next((one for one in finalists if one.variant_id == attempt.id), None)
    best = own or attempt.best
    state: RungState = "finalist" if own else "held" if attempt.holds else "lost"
    return RungVerdict(
        variant_id=attempt.id,
        parent=climb.parent if climb is not None else None,
        rung=attempt.trial.proposal.rung,
        state=state,
        candidate_id=best.candidate_id if best is not None else None,
        drop=best.drop if best is not None else None,
        sentence=_explain(known, attempt, climb, best, finalists),
    )


def _explain(
    known: Known,
    attempt: Attempt,
    climb: Climb | None,
    best: Judged | None,
    finalists: Sequence[Judged],
) -> str:
    if best is None:
        return f"{attempt.id}: {_failure(attempt)}"
    loss = f"{best.candidate_id} {best.describe_loss()}"
    if best in finalists:
        place = (
            "is the lightest that holds"
            if best is finalists[0]
            else "is surer to hold than what is lighter"
        )
        return f"{loss} and {place}: it goes to the proof."
    if attempt.holds:
        return f"{loss}, but {_explain_defeat(known, attempt, climb, best)}."
    if attempt.holds is None:
        whole = "there was no room for a whole one" if finalists else "a whole one decides"
        return f"{loss} after a brief training, {best.describe_excess()}; {whole}."
    return f"{loss}: {best.describe_excess()}."


def _failure(attempt: Attempt) -> str:
    trial = attempt.trial
    found = trial.failure or next((one.failure for one in trial.candidates if one.failure), None)
    return found or "nothing could be compared, for float32 could not be evaluated."


def _explain_defeat(known: Known, attempt: Attempt, climb: Climb | None, own: Judged) -> str:
    if attempt.brief and climb is not None:
        longer = climb.at[_level(attempt)]
        if longer is not attempt:
            return f"{longer.id} is the same with a whole training"
    if not own.within_budgets:
        return "it is over the budget of size"
    best = known.best
    if best is None or best.candidate_id == own.candidate_id:
        return "the search goes on"
    return f"{best.candidate_id} is lighter ({_weights(known, best.weight, own.weight)}) and holds"


def _weights(known: Known, *weights: float) -> str:
    if known.config.budgets.objective == "latency_ms":
        first, second = weights
        return f"about {first / second:.2f} of its time"
    return " against ".join(map(size, weights))


def _tell_untried(
    known: Known, climb: Climb, asked: Collection[str], *, left: str
) -> Iterator[RungVerdict]:
    """Yields why levels of a climb were not tried, where its rounds are over or it can't win."""
    low, high = bounds(climb.outcomes)
    prefix = "" if climb.parent == DENSE else f"{climb.parent}-"
    for level in climb.rung.levels:
        id_ = f"{prefix}{climb.rung.label(level)}"
        if level in climb.at or {id_, f"{id_}-brief"} & set(asked):
            continue
        if high is not None and level > high:
            reason = f"{_attempt(climb, high).id}, which is milder, lost too much"
        elif low is not None and level < low:
            reason = f"{_attempt(climb, low).id}, which is stronger, holds"
        elif high is not None and level == high:
            reason = f"{_attempt(climb, high).id}, on the dense model, lost too much"
        elif climb.is_hopeless(level):
            loss = climb.expect_loss(level) or 0.0
            reason = f"by those that were, it would lose about {points(loss)}"
        elif not known.can_win(climb, level) and known.best is not None:
            forecast = known.forecast(climb, level)
            reason = (
                f"even if it held, it would be no lighter than {known.best.candidate_id} "
                f"({_weights(known, forecast, known.best.weight)})"
            )
        else:
            reason = left
        yield RungVerdict(
            variant_id=id_,
            parent=climb.parent,
            rung=climb.rung.kind,
            state="not_tried",
            sentence=f"{id_} was not tried: {reason}.",
        )


def _attempt(climb: Climb, level: float) -> Attempt:
    """Returns the attempt that tells of a level: the climb's own, or that on the dense model."""
    below = climb if level in climb.at else climb.below
    assert below is not None
    return below.at[level]
