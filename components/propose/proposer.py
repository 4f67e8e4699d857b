"""What to try next: a function of the settings and of all that is known, and of nothing else.

No clock and no chance: time enters as what the trials' trainings took, which stands in the records
of the store. So a search that was killed goes on the same way, and so does one that finds its
trials in the store.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from components.common.documents.ladder import Ladder, Proposal, Trial
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.words.figures import seconds
from components.propose.climbs import Climb
from components.propose.config import ProposeConfig, SearchSettings
from components.propose.finalists import choose_finalists
from components.propose.known import Known, know
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
        proposals=proposals,
        trials=tuple(trial for _, trial in sorted(known.trials.items())),
        verdicts=tuple(tell_verdicts(known, finalists=finalists, asked=asked)),
        finalists=tuple(one.candidate_id for one in finalists),
        training_s=known.training_s,
        notes=(*explain_idle(config), *notes),
    )


def _wishes(known: Known) -> Iterator[_Wish]:
    """Yields what is worth a trial: whole trainings, which settle levels, before new levels."""
    for climb in known.climbs:
        yield from _whole_trainings(known, climb)
    for climb in known.climbs:
        level = climb.next
        if level is not None and known.can_win(climb, level):
            yield _Wish(climb=climb, level=level, brief=_brief_epochs(known.search) is not None)


def _whole_trainings(known: Known, climb: Climb) -> Iterator[_Wish]:
    top, best = climb.top, known.best
    for level, attempt in sorted(climb.at.items()):
        is_top = climb.next is None and attempt is top
        is_best = best is not None and attempt.id == best.variant_id
        wanted = attempt in climb.doubtful or is_top or is_best
        if attempt.brief and wanted and (is_best or known.can_win(climb, level)):
            yield _Wish(climb=climb, level=level, brief=False)


def _brief_epochs(search: SearchSettings) -> int | None:
    """Returns how long a brief training is; None where a whole one is as short."""
    epochs = max(1, search.epochs // 3)
    return epochs if epochs < search.epochs else None


def _afford(known: Known, wishes: Sequence[_Wish]) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """Returns the proposals that time and trials allow, and what is to be said of the others."""
    search = known.search
    left_s, left = search.time_limit_s - known.training_s, search.trials - known.trained
    proposals, notes = [], []
    for wish in wishes:
        proposal = _propose_variant(known, wish)
        cost_s = known.s_per_epoch * proposal.epochs
        if left <= 0:
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


def _propose_variant(known: Known, wish: _Wish) -> Proposal:
    climb, rung, search = wish.climb, wish.climb.rung, known.search
    label = f"{rung.label(wish.level)}-brief" if wish.brief else rung.label(wish.level)
    id_ = label if climb.parent == DENSE else f"{climb.parent}-{label}"
    epochs = (_brief_epochs(search) or search.epochs) if wish.brief else search.epochs
    told = {
        **known.config.steps[rung.kind],
        **rung.settings(wish.level, known.config.steps[rung.kind]),
        "epochs": epochs,
        "seed": search.seed,
    }
    return Proposal(
        variant=Variant(
            id=id_, parent=climb.parent, steps=(StepSpec(kind=rung.kind, settings=told),)
        ),
        rung=rung.kind,
        level=wish.level,
        brief=wish.brief,
        epochs=epochs,
        candidates=tuple(
            spec.model_copy(update={"id": f"{id_}-{spec.id}", "variant": id_})
            for spec in known.config.compressed
        ),
    )
