"""How far each rung has been climbed on each parent, read off the trials.

What levels are expected to come to says which is next; where none is expected to win, they are
bisected. A level may be tried briefly first. What holds after a brief training holds; what has lost
three times the margin, beyond noise, is given up; only what lies between has a whole training,
which decides. So long trainings go to what is worth them: that is successive halving, with margins
for ranks.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from components.common.documents.decision import Objective
from components.common.documents.ladder import Trial
from components.common.documents.variant import DENSE
from components.propose.climbing import HOPELESS, bounds, fine_levels, next_level
from components.propose.judging import Judged
from components.propose.outlook import Seen, expect_loss, expect_weight
from components.propose.rungs import Rung


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Attempt:
    """A trial of one level, brief or whole, and its candidates with figures, lightest first."""

    trial: Trial
    candidates: Sequence[Judged]

    @property
    def id(self) -> str:
        return self.trial.proposal.variant.id

    @property
    def brief(self) -> bool:
        return self.trial.proposal.brief

    @property
    def lightest_that_holds(self) -> Judged | None:
        return next((one for one in self.candidates if one.holds and one.within_budgets), None)

    @property
    def best(self) -> Judged | None:
        """The lightest that holds, or else the one that loses least."""
        found = next((one for one in self.candidates if one.holds), None)
        return found or min(self.candidates, key=lambda one: one.drop, default=None)

    @property
    def least(self) -> Judged | None:
        """The one that loses least: what the variant itself loses, before a coarse scheme."""
        return min(self.candidates, key=lambda one: (one.drop, one.weight), default=None)

    @property
    def is_out(self) -> bool:
        """Whether it does not hold, and that is not for noise."""
        return self.holds is False and (self.best is None or self.best.is_out)

    @property
    def holds(self) -> bool | None:
        """None where only a whole training can tell."""
        if self.best is None:
            return False
        if self.best.holds:
            return True
        hopeless = self.best.is_out and self.best.drop > HOPELESS * self.best.margin
        return None if self.brief and not hopeless else False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Climb:
    """One rung on one parent.

    Attributes:
      rung: the rung.
      parent: the variant.
      attempts: what was tried of it.
      below: the same rung on the dense model, where the parent is another one: what loses too much
        there, beyond noise, does so here.
      objective: what its candidates are weighed for.
      parent_drop: what the parent itself loses.
      parent_scale: what it weighs, as a share of the dense model.
    """

    rung: Rung
    parent: str
    attempts: Sequence[Attempt]
    objective: Objective
    below: "Climb | None" = None
    parent_drop: float = 0.0
    parent_scale: float = 1.0

    @cached_property
    def at(self) -> Mapping[float, Attempt]:
        """The attempt that counts at each level: the whole one, where there is one."""
        ordered = sorted(self.attempts, key=lambda one: not one.brief)
        return {one.trial.proposal.level: one for one in ordered}

    @property
    def doubtful(self) -> Sequence[Attempt]:
        """Brief ones that only a whole training can decide, mild first."""
        return tuple(one for _, one in sorted(self.at.items()) if one.holds is None)

    @cached_property
    def outcomes(self) -> Mapping[float, bool]:
        """Level -> whether it holds, with what the dense model tells of levels not tried."""
        own = {level: one.holds for level, one in self.at.items() if one.holds is not None}
        if self.below is None:
            return own
        return {level: False for level, one in self.below.at.items() if one.is_out} | own

    def next(self, lightest: float) -> float | None:
        """Returns the level to try; None where there is none, or a doubtful one is to be decided.

        Args:
          lightest: what the lightest candidate weighs that holds; what does not come below that
            is not worth it.
        """
        if self.doubtful:
            return None
        if not self.at and not self.seen:
            return self.rung.first
        _, high = bounds(self.outcomes)
        outlooks = {
            level: weight
            for level in fine_levels(self.rung.levels, self.rung.resolution)
            if level not in self.outcomes and (high is None or level < high)
            if (weight := self.expect_weight(level)) is not None and weight < lightest
        }
        if outlooks:
            return min(outlooks, key=lambda level: (outlooks[level], level))
        return next_level(
            self.outcomes,
            levels=[level for level in self.rung.levels if not self.is_hopeless(level)],
            resolution=self.rung.resolution,
        )

    @cached_property
    def seen(self) -> Mapping[float, Seen]:
        """What levels came to, here and on the dense model."""
        below = self.below.at.items() if self.below is not None else ()
        there = {
            level: Seen(
                loss=one.least.drop,
                candidates=one.candidates,
                offset=self.parent_drop,
                scale=self.parent_scale,
            )
            for level, one in below
            if one.least is not None
        }
        own = {
            level: Seen(loss=one.least.drop - self.parent_drop, candidates=one.candidates)
            for level, one in self.at.items()
            if one.least is not None
        }
        return there | own

    def expect_loss(self, level: float) -> float | None:
        """Returns what a level may lose, with what its parent does."""
        own = expect_loss(level, self.seen, steepness=self.rung.steepness)
        return None if own is None else self.parent_drop + own

    def expect_weight(self, level: float) -> float | None:
        """Returns what the lightest may weigh that can be expected to hold at a level."""
        loss = expect_loss(level, self.seen, steepness=self.rung.steepness)
        if loss is None:
            return None
        return expect_weight(
            level,
            self.seen,
            loss=loss,
            share=self.rung.share(level, self.objective),
            shares={at: self.rung.share(at, self.objective) for at in self.seen},
        )

    def is_hopeless(self, level: float) -> bool:
        """Whether so much may be lost that no error of the forecast makes it good."""
        loss = self.expect_loss(level)
        margins = [one.margin for seen in self.seen.values() for one in seen.candidates]
        return loss is not None and loss > HOPELESS * margins[0]


def attempts_on(
    trials: Iterable[Trial], judged: Mapping[str, tuple[Judged, ...]]
) -> dict[tuple[str, str], list[Attempt]]:
    """Returns (rung, parent) -> the attempts, in the order of their ids."""
    found: dict[tuple[str, str], list[Attempt]] = {}
    for trial in sorted(trials, key=lambda one: one.proposal.variant.id):
        variant = trial.proposal.variant
        if variant.parent is not None:
            attempt = Attempt(trial=trial, candidates=judged.get(variant.id, ()))
            found.setdefault((trial.proposal.rung, variant.parent), []).append(attempt)
    return found


def open_climbs(
    rungs: Sequence[Rung],
    attempts: Mapping[tuple[str, str], Sequence[Attempt]],
    *,
    objective: Objective,
    weights: Mapping[str, float],
) -> tuple[Climb, ...]:
    """Returns every climb that is there to be made, on the dense model first.

    A rung that follows others is climbed on what holds of theirs after a whole training, the
    strongest first.

    Args:
      rungs: in the order in which they are tried.
      attempts: (rung, parent) -> what was tried.
      objective: the recipe's.
      weights: variant -> what its lightest candidate weighs.
    """
    first = [
        Climb(
            rung=rung,
            parent=DENSE,
            attempts=attempts.get((rung.kind, DENSE), ()),
            objective=objective,
        )
        for rung in rungs
    ]
    return (*first, *_chains(first, attempts, weights))


def _chains(
    first: Sequence[Climb],
    attempts: Mapping[tuple[str, str], Sequence[Attempt]],
    weights: Mapping[str, float],
) -> Iterator[Climb]:
    for climb in first:
        for below in first:
            if below.rung.kind not in climb.rung.follows:
                continue
            for _, parent in sorted(below.at.items(), reverse=True):
                if parent.holds and not parent.brief and parent.least is not None:
                    yield Climb(
                        rung=climb.rung,
                        parent=parent.id,
                        attempts=attempts.get((climb.rung.kind, parent.id), ()),
                        objective=climb.objective,
                        below=climb,
                        parent_drop=max(parent.least.drop, 0.0),
                        parent_scale=weights[parent.id] / weights[DENSE],
                    )
