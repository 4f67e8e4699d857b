"""All that a search knows, in the terms in which it decides."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from components.common.documents.ladder import Trial
from components.common.documents.variant import DENSE
from components.propose.climbs import Climb, attempts_on, open_climbs
from components.propose.config import ProposeConfig, SearchSettings
from components.propose.judging import Judged, judge_trials
from components.propose.rungs import RUNGS, Rung
from components.propose.variants import brief_epochs


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What is known after a round.

    Attributes:
      config: what it is told.
      trials: by variant.
      judged: variant -> its candidates, the lightest first.
      climbs: the rungs on their parents, in the order in which they are tried.
    """

    config: ProposeConfig
    trials: Mapping[str, Trial]
    judged: Mapping[str, Sequence[Judged]]
    climbs: Sequence[Climb]

    @property
    def search(self) -> SearchSettings:
        return self.config.searching

    @property
    def best(self) -> Judged | None:
        """The lightest candidate of all that holds."""
        found = (
            one
            for candidates in self.judged.values()
            for one in candidates
            if one.holds and one.within_budgets
        )
        return min(found, key=lambda one: (one.weight, one.risk, one.candidate_id), default=None)

    @property
    def training_s(self) -> float:
        return sum(trial.training_s for _, trial in sorted(self.trials.items()))

    @property
    def trained(self) -> int:
        return sum(trial.proposal.epochs > 0 for trial in self.trials.values())

    @property
    def s_per_epoch(self) -> float:
        """What the slowest trial's epochs have taken so far; 0 before the first."""
        trained = (one for one in self.trials.values() if one.proposal.epochs)
        return max((one.training_s / one.proposal.epochs for one in trained), default=0.0)

    def heads_chains(self, rung: Rung) -> bool:
        """Whether a rung is climbed on what others leave, if they hold."""
        return any(other.rung.kind in rung.follows for other in self.climbs)

    @property
    def begins_briefly(self) -> bool:
        """Whether levels are tried with a brief training first.

        Not where rungs make chains: what a chain stands on has a whole training in any case, and at
        its end nearly all is so close to the margin that only a whole one decides. A brief one
        would come on top.
        """
        chained = any(self.heads_chains(climb.rung) for climb in self.climbs)
        return brief_epochs(self.search) is not None and not chained

    def forecast(self, climb: Climb, level: float) -> float:
        """Returns what the lightest candidate of a level may weigh, be it with a rung on top."""
        weights = [one.weight for one in self.judged.get(climb.parent, ())]
        if not weights:
            return 0.0
        own = climb.rung.share(level, self.config.budgets.objective)
        return min(weights) * own * self._share_on_top(climb)

    def _share_on_top(self, climb: Climb) -> float:
        """Returns what the strongest rung on top may leave, of those that the dense model bears."""
        objective = self.config.budgets.objective
        return min(
            (
                other.rung.share(level, objective)
                for other in self.climbs
                if other.parent == DENSE and climb.parent == DENSE
                if climb.rung.kind in other.rung.follows
                for level in other.rung.levels
                if other.outcomes.get(level, True)
            ),
            default=1.0,
        )

    def can_win(self, climb: Climb, level: float) -> bool:
        """Whether a level, or what follows on it, may weigh less than the best that holds."""
        best = self.best
        return best is None or self.forecast(climb, level) < best.weight


def usable_rungs(config: ProposeConfig) -> tuple[Rung, ...]:
    """Returns the rungs whose step there is, and that serve the objective, in order."""
    objective = config.budgets.objective
    return tuple(rung for rung in RUNGS if rung.kind in config.steps and objective in rung.helps)


def know(config: ProposeConfig, trials: Iterable[Trial]) -> Known:
    """Puts trials, in whatever order, into the terms in which a search decides."""
    by_id = {trial.proposal.variant.id: trial for trial in trials}
    judged = judge_trials(by_id.values(), config)
    climbs = open_climbs(
        usable_rungs(config),
        attempts_on(by_id.values(), judged),
        objective=config.budgets.objective,
        weights={id_: candidates[0].weight for id_, candidates in judged.items() if candidates},
    )
    return Known(config=config, trials=by_id, judged=judged, climbs=climbs)
