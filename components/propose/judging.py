"""What trials say of candidates, on the validation split: what each loses, and what it weighs.

A candidate *holds* where it loses so little that a proof is to be expected, did it lose as much on
the test split. To lose no more than the margin is not enough: a proof asks for room between the
two, the more the fewer test examples there are. What holds is an observation all the same, and
noise decides here too; so what is said of a loss says whether it is beyond it. *Weight* is what the
objective wants least of.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.dataset import TaskName
from components.common.documents.decision import Objective
from components.common.documents.ladder import RankedCandidate, Trial
from components.common.statistics.noninferiority import (
    excess_p_value,
    inferiority_p_value,
    room_for_proof,
)
from components.common.words.figures import points
from components.propose.config import ProposeConfig

_NOISE = 0.05
"""The chance that a loss is called beyond noise where the true one is the margin."""

_TIME_PER_MULTIPLICATION: Mapping[TaskName, Mapping[str, float]] = {
    "image": {
        "dynamic_range": 1.2,
        "int8": 0.74,
        "int8_weights": 1.1,
        "int4": 2.0,
        "int16x8": 40.0,
    },
    "text": {"dynamic_range": 0.79, "int8": 1.24},
}
"""Against float32, measured with EfficientNet-Lite0 and with MiniLM on one thread of an x86 machine
with AVX2; benchmark measures the finalists themselves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """A candidate as the search sees it.

    Attributes:
      candidate_id: its id.
      variant_id: of which it was made.
      scheme: the kind of its quantization scheme.
      weight: bytes, or for a latency multiplications, weighed by what one takes in the scheme.
      lost: validation examples that float32 alone gets right.
      won: those that it alone gets right.
      examples: of the split.
      margin: the largest drop to accept.
      room: what a proof is expected to ask for between a drop and the margin.
      within_budgets: of size, which are known before the proof.
    """

    candidate_id: str
    variant_id: str
    scheme: str
    weight: float
    lost: int
    won: int
    examples: int
    margin: float
    room: float
    within_budgets: bool

    @property
    def drop(self) -> float:
        return (self.lost - self.won) / self.examples

    @property
    def holds(self) -> bool:
        return self.would_hold(self.drop)

    def would_hold(self, drop: float) -> bool:
        """Tells whether it would hold, did it lose so much."""
        return drop <= self.margin - self.room

    @property
    def risk(self) -> float:
        """How likely so small a loss is, at most, where the true one is over the margin."""
        return inferiority_p_value(self.lost, self.won, examples=self.examples, margin=self.margin)

    @property
    def is_out(self) -> bool:
        """Whether its loss is over the margin beyond noise."""
        if self.holds:
            return False
        p_value = excess_p_value(self.lost, self.won, examples=self.examples, margin=self.margin)
        return p_value < _NOISE

    def describe_loss(self) -> str:
        """Returns `loses 2.1 points (14 lost, 4 won of 470)`."""
        change = f"loses {points(self.drop)}" if self.drop > 0 else f"gains {points(-self.drop)}"
        counts = f"{self.lost} lost, {self.won} won of {self.examples}"
        return f"{change if self.drop else 'loses nothing'} ({counts})"

    def describe_excess(self) -> str:
        """Returns by what it doesn't hold: `over the margin of 2 points, beyond noise`."""
        margin = f"the margin of {points(self.margin)}"
        if self.drop > self.margin:
            return f"over {margin}, {'beyond noise' if self.is_out else 'though within noise'}"
        return f"too near {margin}, of which a proof is expected to take {points(self.room)}"


def judge_trials(trials: Iterable[Trial], config: ProposeConfig) -> dict[str, tuple[Judged, ...]]:
    """Returns variant id -> its candidates that have figures, the lightest first.

    Args:
      trials: in any order; without float32's, against which all are compared, nothing is judged.
      config: what the search is told.
    """
    trials = sorted(trials, key=lambda trial: trial.proposal.variant.id)
    baseline = next((one for one in _candidates(trials) if one.candidate_id == BASELINE_ID), None)
    if baseline is None or baseline.failure is not None:
        return {}
    return {
        trial.proposal.variant.id: tuple(
            sorted(
                (
                    _judge(one, trial, baseline, config)
                    for one in trial.candidates
                    if _is_known(one)
                ),
                key=lambda one: (one.weight, one.risk, one.candidate_id),
            )
        )
        for trial in trials
    }


def _candidates(trials: Iterable[Trial]) -> Iterator[RankedCandidate]:
    for trial in trials:
        yield from trial.candidates


def _is_known(candidate: RankedCandidate) -> bool:
    return candidate.failure is None


def _judge(
    candidate: RankedCandidate, trial: Trial, baseline: RankedCandidate, config: ProposeConfig
) -> Judged:
    budgets, times = config.budgets, _TIME_PER_MULTIPLICATION[config.task]
    own, reference = int(candidate.right, 16), int(baseline.right, 16)
    assert budgets.accuracy_drop is not None, "a search knows what may be lost"
    return Judged(
        candidate_id=candidate.candidate_id,
        variant_id=trial.proposal.variant.id,
        scheme=candidate.scheme,
        weight=weigh(candidate, budgets.objective, times),
        lost=(reference & ~own).bit_count(),
        won=(own & ~reference).bit_count(),
        examples=trial.examples,
        margin=budgets.accuracy_drop,
        room=room_for_proof(
            discordance=(own ^ reference).bit_count() / trial.examples,
            margin=budgets.accuracy_drop,
            examples=trial.test_examples,
            alpha=(1 - budgets.confidence) / config.searching.finalists,
        ),
        within_budgets=not any(budgets.exceeded_sizes(candidate)),
    )


def weigh(candidate: RankedCandidate, objective: Objective, times: Mapping[str, float]) -> float:
    """Returns what the objective wants least of, in bytes or weighed multiplications.

    Args:
      candidate: with its figures.
      objective: the recipe's.
      times: scheme -> what a multiplication takes in it against float32, where not as long.
    """
    if objective == "zipped_bytes":
        return candidate.zipped_bytes
    if objective == "size_bytes":
        return candidate.size_bytes
    return candidate.macs * times.get(candidate.scheme, 1.0)
