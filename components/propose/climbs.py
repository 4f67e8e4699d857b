"""How far each rung has been climbed on each parent, read off the trials.

A level is tried briefly first. What holds after a brief training holds; what has lost three times
the margin, beyond noise, is given up; only what lies between has a whole training, which decides.
So long trainings go to what is worth them: that is successive halving, with margins for ranks.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from components.common.documents.ladder import Trial
from components.common.documents.variant import DENSE
from components.propose.climbing import bounds, next_level
from components.propose.judging import Judged
from components.propose.rungs import Rung

_HOPELESS = 3.0
"""Margins that no longer training makes good."""


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
        hopeless = self.best.is_out and self.best.drop > _HOPELESS * self.best.margin
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
      parent_drop: what the parent itself loses.
    """

    rung: Rung
    parent: str
    attempts: Sequence[Attempt]
    below: "Climb | None" = None
    parent_drop: float = 0.0

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

    @property
    def first(self) -> float:
        """The level to begin with: as strong as what it and the parent lose adds up to allow."""
        if self.below is None or not self.below.at:
            return self.rung.first
        allowed = [
            level
            for level, one in self.below.at.items()
            if one.best is not None and one.best.drop + self.parent_drop <= one.best.margin
        ]
        return max(allowed, default=self.rung.levels[0])

    @property
    def next(self) -> float | None:
        """The level to try; None where there is none, or a doubtful one must be decided first."""
        if self.doubtful:
            return None
        if not self.at:
            return self.first
        return next_level(self.outcomes, levels=self.rung.levels, resolution=self.rung.resolution)

    @property
    def top(self) -> Attempt | None:
        """The strongest that holds."""
        low, _ = bounds(self.outcomes)
        return self.at[low] if low is not None else None


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
    rungs: Sequence[Rung], attempts: Mapping[tuple[str, str], Sequence[Attempt]]
) -> tuple[Climb, ...]:
    """Returns every climb that is there to be made, on the dense model first.

    A rung that follows others is climbed on what holds of theirs after a whole training, the
    strongest first.
    """
    first = [
        Climb(rung=rung, parent=DENSE, attempts=attempts.get((rung.kind, DENSE), ()))
        for rung in rungs
    ]
    return (*first, *_chains(first, attempts))


def _chains(
    first: Sequence[Climb], attempts: Mapping[tuple[str, str], Sequence[Attempt]]
) -> Iterator[Climb]:
    for climb in first:
        for below in first:
            if below.rung.kind not in climb.rung.follows:
                continue
            for _, parent in sorted(below.at.items(), reverse=True):
                if parent.holds and not parent.brief and parent.best is not None:
                    yield Climb(
                        rung=climb.rung,
                        parent=parent.id,
                        attempts=attempts.get((climb.rung.kind, parent.id), ()),
                        below=climb,
                        parent_drop=parent.best.drop,
                    )
