"""What to try next: a function of the settings and of all that is known, and of nothing else.

No clock and no chance: time enters as what the trials' trainings took, which stands in the records
of the store. So a search that was killed goes on the same way, and so does one that finds its
trials in the store.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

from components.common.documents.ladder import Ladder, Proposal, Trial
from components.common.documents.variant import DENSE
from components.common.words.figures import seconds
from components.propose.climbs import Climb
from components.propose.config import ProposeConfig
from components.propose.demands import demand_accuracy
from components.propose.finalists import choose_finalists
from components.propose.known import Known, know
from components.propose.variants import propose_variant
from components.propose.verdicts import explain_idle, tell_verdicts


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Wish:
    """A level to be tried, and with how long a training."""

    climb: Climb
    level: float
    brief: bool


def propose(
    config: ProposeConfig, trials: Iterable[Trial], *, before: Ladder | None = None
) -> Ladder:
    """Returns the ladder after a round, with the proposals for the next or with the finalists.

    Args:
      config: what the search is told.
      trials: all so far, in any order; among them that of the dense model.
      before: the ladder of the round before; None after the dense model's trial.
    """
    known = know(config, trials)
    number = 1 if before is None else before.round + 1
    is_over = number > known.search.rounds
    proposals, notes = _afford(known, () if is_over else tuple(_wishes(known)))
    asked = tuple(proposal.variant.id for proposal in proposals)
    rounds = ((DENSE,),) if before is None else before.rounds
    finalists = choose_finalists(known) if is_over else ()
    return Ladder(
        round=number,
        rounds=(*rounds, asked) if asked else rounds,
        proposals=tuple(demand_accuracy(proposals, known)),
        trials=tuple(trial for _, trial in sorted(known.trials.items())),
        verdicts=tuple(tell_verdicts(known, finalists=finalists, asked=asked)),
        finalists=tuple(one.candidate_id for one in finalists),
        training_s=known.training_s,
        notes=(*explain_idle(config), *notes),
    )


def _wishes(known: Known) -> Iterator[_Wish]:
    """Yields what is worth a trial; a whole training of the best where there is nothing else."""
    wishes = [*_decisions(known), *_new_levels(known)]
    yield from wishes or _polish(known)


def _decisions(known: Known) -> Iterator[_Wish]:
    """Yields whole trainings of what a brief one left open."""
    for climb in known.climbs:
        for attempt in climb.doubtful:
            level = attempt.trial.proposal.level
            if known.can_win(climb, level):
                yield _Wish(climb=climb, level=level, brief=False)


def _new_levels(known: Known) -> Iterator[_Wish]:
    """Yields levels that may win.

    Of chains, only the one that may become the lightest: what comes of it tells of the others. What
    ends chains is climbed on the dense model once, to see what it costs, and further where nothing
    else is left.
    """
    lightest = known.best.weight if known.best is not None else math.inf
    levels = ((climb, climb.next(lightest)) for climb in known.climbs)
    wishes = [
        _Wish(climb=climb, level=level, brief=known.begins_briefly and climb.rung.trains)
        for climb, level in levels
        if level is not None and known.can_win(climb, level)
    ]
    on_dense = [wish for wish in wishes if wish.climb.parent == DENSE]
    first = [one for one in on_dense if not (one.climb.at and known.heads_chains(one.climb.rung))]
    chains = sorted(
        (wish for wish in wishes if wish.climb.parent != DENSE),
        key=lambda wish: known.forecast(wish.climb, wish.level),
    )
    yield from [*first, *chains[:1]] or on_dense


def _polish(known: Known) -> Iterator[_Wish]:
    """Yields a whole training of the best, which loses the less for it."""
    for climb in known.climbs:
        for level, attempt in climb.at.items():
            if attempt.brief and known.best is not None and attempt.id == known.best.variant_id:
                yield _Wish(climb=climb, level=level, brief=False)


def _afford(known: Known, wishes: Sequence[_Wish]) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """Returns the proposals that time and trials allow, and what is to be said of the others."""
    search = known.search
    left_s, left = search.time_limit_s - known.training_s, search.trials - known.trained
    proposals, notes = [], []
    for wish in wishes:
        proposal = propose_variant(
            known.config,
            wish.climb.rung,
            wish.level,
            parent=wish.climb.parent,
            brief=wish.brief,
        )
        cost_s = known.s_per_epoch * proposal.epochs
        if not proposal.epochs:
            proposals.append(proposal)
        elif left <= 0:
            notes.append(
                f"{proposal.variant.id} was not tried: the {search.trials} trials are used up."
            )
        elif left_s <= 0 or cost_s > left_s:
            notes.append(
                f"{proposal.variant.id} was not tried: it would train for about {seconds(cost_s)}, "
                f"and of time_limit_s {seconds(max(left_s, 0))} are left."
            )
        else:
            proposals.append(proposal)
            left, left_s = left - 1, left_s - cost_s
    return tuple(proposals), tuple(notes)
