"""Simulated worlds: what a variant would come to, drawn once for each world and then fixed.

A trial is a function of the world and of what is proposed, as a real one is of data and steps:
whoever asks for it, in whatever round, gets the same. Losses grow with a level, faster the
stronger it is; a brief training loses more; sparse models take a coarse grid better than dense
ones. Which examples a candidate gets right is drawn by its id.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache
from random import Random
from typing import Protocol

from components.common.documents.candidate import CandidateSpec, SchemeSpec
from components.common.documents.decision import Budgets, Objective
from components.common.documents.ladder import Ladder, Proposal, RankedCandidate, Trial
from components.common.documents.variant import DENSE, Variant
from components.propose.config import ProposeConfig, SearchSettings
from components.propose.proposer import propose
from components.propose.rungs import RUNGS
from components.propose.variants import propose_variant

SCHEMES = ("float32", "int8", "int8-snap6", "int8-snap4")
RAW = {"float32": 13.47e6, "int8": 3.96e6, "int8-snap6": 3.96e6, "int8-snap4": 3.96e6}
ZIPPED = {"float32": 12.49e6, "int8": 3.29e6, "int8-snap6": 2.62e6, "int8-snap4": 2.03e6}
TYPICAL = {
    "prune": (0.03, 16.0),
    "channels": (0.06, 4.0),
    "distil": (0.06, 4.0),
    "vocabulary": (0.01, 3.0),
    "length": (0.06, 4.0),
}
"""Of each rung: the most that it loses at its first level, and how steeply that grows at most."""
EPOCH_S = {"prune": 10.0, "channels": 7.0, "distil": 8.0, "vocabulary": 0.0, "length": 9.0}
OF_PICTURES = ("prune", "channels", "distil")
OF_TEXTS = ("prune", "vocabulary", "length")


def make_config(
    *, objective: Objective = "zipped_bytes", steps: Sequence[str] = OF_PICTURES, **search: float
) -> ProposeConfig:
    settings = {"time_limit_s": 10_000.0, **search}
    return ProposeConfig(
        search=SearchSettings.model_validate(settings),
        budgets=Budgets(accuracy_drop=0.02, objective=objective),
        steps={kind: {"tokens": 64} if kind == "length" else {} for kind in steps},
        dense=tuple(map(_specify, SCHEMES)),
        compressed=tuple(map(_specify, SCHEMES[1:])),
    )


def _specify(id_: str) -> CandidateSpec:
    kind = id_.partition("-")[0]
    scheme = SchemeSpec(kind=kind, backend="tflite_converter", settings={})
    return CandidateSpec(id=id_, variant=DENSE, scheme=scheme)


def propose_dense(config: ProposeConfig) -> Proposal:
    return Proposal(
        variant=Variant(id=DENSE, parent=None), rung=DENSE, level=0, candidates=config.dense
    )


@dataclasses.dataclass(frozen=True)
class World:
    """One data set, so to speak."""

    seed: int
    examples: int = 1000
    """To validate, and to test."""
    split: str = ""
    """Whose examples these are: of another one, other answers are right."""

    def _draw(self, what: str, low: float, high: float) -> float:
        return Random(f"{self.seed} {what}").uniform(low, high)

    def loss(self, rung: str, level: float) -> float:
        """Returns what a rung costs of accuracy at a level, after a whole training."""
        at_first, steepest = TYPICAL[rung]
        (first,) = (one.first for one in RUNGS if one.kind == rung)
        scale, steep = self._draw(f"loss {rung}", 0.0, at_first), self._draw(rung, 2.0, steepest)
        return scale * (level / first) ** steep

    def share(self, rung: str, level: float, objective: Objective) -> float:
        (found,) = (one for one in RUNGS if one.kind == rung)
        own = self._draw(f"share {rung}", 0.9, 1.1) if objective in found.helps else 1.0
        return found.share(level, objective) * own

    def try_variant(self, proposal: Proposal, chain: Sequence[Proposal]) -> Trial:
        """Returns the trial.

        Args:
          proposal: of which.
          chain: its ancestors but the dense model, and itself, in order.
        """
        loss = sum(self.loss(one.rung, one.level) for one in chain)
        if proposal.brief:
            loss = loss * self._draw("brief", 1.1, 1.6) + 0.003
        sparse = any(one.rung == "prune" for one in chain)
        return Trial(
            proposal=proposal,
            examples=self.examples,
            test_examples=self.examples,
            training_s=sum(EPOCH_S[one.rung] * one.epochs for one in chain[-1:]),
            candidates=tuple(
                self._candidate(spec, chain, loss, sparse=sparse) for spec in proposal.candidates
            ),
        )

    def _candidate(
        self, spec: CandidateSpec, chain: Sequence[Proposal], loss: float, *, sparse: bool
    ) -> RankedCandidate:
        label = next(one for one in reversed(SCHEMES) if spec.id.endswith(one))
        own = {"float32": 0.0, "int8": 0.003, "int8-snap6": 0.004}
        own["int8-snap4"] = self._draw("snap4", 0.004, 0.03) * (0.3 if sparse else 1.0)
        sizes = {"zipped_bytes": ZIPPED[label], "size_bytes": RAW[label], "latency_ms": 3e8}
        for objective in sizes:
            for one in chain:
                sizes[objective] *= self.share(one.rung, one.level, objective)
        return RankedCandidate(
            candidate_id=spec.id,
            scheme=spec.scheme.kind,
            size_bytes=int(sizes["size_bytes"]),
            zipped_bytes=int(sizes["zipped_bytes"]),
            macs=int(sizes["latency_ms"]),
            right=f"{self._right(spec.id, loss + own[label]):x}",
        )

    def _right(self, id_: str, loss: float) -> int:
        """Returns bits: float32's, less what is lost, and with what is won."""
        base = _base(f"{self.seed}{self.split}", self.examples)
        churn = 0.0 if id_ == "float32" else 0.005
        random = Random(f"{self.seed}{self.split} {id_}")
        lost = _bits(random, self.examples, min((loss + churn) / 0.85, 1.0))
        won = _bits(random, self.examples, churn / 0.15)
        return (base & ~lost) | (won & ~base)


@lru_cache
def _base(seed: str, count: int) -> int:
    return _bits(Random(f"{seed} base"), count, 0.85)


def _bits(random: Random, count: int, share: float) -> int:
    """Returns so many bits, of which about that share is set."""
    spread = (count * share * (1 - share)) ** 0.5
    chosen = min(max(round(random.gauss(count * share, spread)), 0), count)
    bits = 0
    for place in random.sample(range(count), chosen):
        bits |= 1 << place
    return bits


class Tried(Protocol):
    """What tells of a variant what it comes to: a simulated world, or real stages."""

    def try_variant(self, proposal: Proposal, chain: Sequence[Proposal]) -> Trial:
        """Returns the trial; the chain is its ancestors but the dense model, and itself."""


class Search:
    """A search in a world, which may be cut and gone on with at any round."""

    def __init__(self, world: Tried, config: ProposeConfig) -> None:
        self.config = config
        self._world = world
        self._proposals = {DENSE: propose_dense(config)}
        self.trials: dict[str, Trial] = {}
        self.notes: tuple[str, ...] = ()

    def run(self) -> Ladder:
        self.try_variant(self._proposals[DENSE])
        ladder = propose(self.config, self.trials.values())
        for _ in range(self.search.rounds):
            for proposal in ladder.proposals:
                self.try_variant(proposal)
            self.notes += ladder.notes
            ladder = propose(self.config, self.trials.values(), before=ladder)
        return ladder

    @property
    def search(self) -> SearchSettings:
        return self.config.searching

    def try_variant(self, proposal: Proposal) -> None:
        id_ = proposal.variant.id
        assert id_ not in self.trials, "a variant is tried once"
        self._proposals[id_] = proposal
        self.trials[id_] = self._world.try_variant(proposal, tuple(self._chain(proposal)))

    def _chain(self, proposal: Proposal) -> Iterator[Proposal]:
        if proposal.variant.parent not in (None, DENSE):
            yield from self._chain(self._proposals[proposal.variant.parent])
        if proposal.variant.id != DENSE:
            yield proposal


def grid(config: ProposeConfig) -> Iterator[tuple[Proposal, ...]]:
    """Yields every variant of the full grid, whole, as the chain that leads to it."""
    rungs = [rung for rung in RUNGS if rung.kind in config.steps]
    for rung in rungs:
        for level in rung.levels:
            below = propose_variant(config, rung, level)
            yield (below,)
            for upper in rungs:
                if rung.kind in upper.follows:
                    for own in upper.levels:
                        parent = below.variant.id
                        yield (below, propose_variant(config, upper, own, parent=parent))


def try_grid(world: Tried, config: ProposeConfig) -> list[Trial]:
    dense = world.try_variant(propose_dense(config), ())
    return [dense, *(world.try_variant(chain[-1], chain) for chain in grid(config))]
