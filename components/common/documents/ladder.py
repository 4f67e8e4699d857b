"""A search up the ladder: which variants it asked for, what came of each, and why it went on so.

A *rung* is a kind of compression at several strengths, its levels. propose writes the ladder after
each round; what rung makes of a proposed variant is a trial. Candidates are ranked on the
validation split alone: which of its examples each gets right is kept as bits, so that any two can
be compared in pairs.
"""

from typing import ClassVar, Literal

from components.common.documents.base import Document, Part
from components.common.documents.candidate import CandidateSpec
from components.common.documents.variant import Variant

NOTHING = "nothing"
"""Stands for a variant in a round that has none left to try: a loop of KFP's has one item."""


class Proposal(Part):
    """A variant that is to be made, and its candidates."""

    variant: Variant
    rung: str
    """Which kind of compression: `prune`."""
    level: float
    """How strong, in the rung's own measure: a sparsity, a share of filters."""
    brief: bool = False
    """Its trainings are short: they tell what is worth a whole one."""
    epochs: int = 0
    """Of all its trainings together."""
    required_accuracy: float | None = None
    """Of validation: a training that can't come to it is given up; None where it has no goal."""
    candidates: tuple[CandidateSpec, ...]


class RankedCandidate(Part):
    """A candidate on the validation split."""

    candidate_id: str
    scheme: str
    size_bytes: int = 0
    zipped_bytes: int = 0
    xz_bytes: int | None = None
    zstd_bytes: int | None = None
    macs: int = 0
    """Multiplications of one inference."""
    right: str = ""
    """Hexadecimal: a bit for each validation example, by id, that is predicted right."""
    failure: str | None = None
    """Why it could not be made or evaluated; then there are no figures."""


class Trial(Part):
    """What came of a proposed variant."""

    proposal: Proposal
    examples: int
    """Of the validation split."""
    test_examples: int = 0
    """How many there are to prove a finalist on: all that a search knows of the test split."""
    training_s: float
    """What its trainings took when they were done, be it in another run: so a search that is
    answered from the store goes the same way."""
    candidates: tuple[RankedCandidate, ...] = ()
    failure: str | None = None
    """Why the variant could not be made."""


class Trials(Document):
    """What a task of a round leaves: one trial, or none where there was nothing to try."""

    file_name: ClassVar[str] = "trials.json"

    trials: tuple[Trial, ...] = ()


RungState = Literal["finalist", "held", "lost", "not_tried"]


class RungVerdict(Part):
    """What became of one step of the ladder."""

    variant_id: str
    parent: str | None
    rung: str
    state: RungState
    candidate_id: str | None = None
    """The variant's best, where it was tried."""
    drop: float | None = None
    """Of accuracy against float32 on validation; negative where the candidate is better."""
    sentence: str
    """Why it lost, was not tried, or goes to the proof."""


class Ladder(Document):
    """A search after a round; the last one's is what there is to tell of it."""

    file_name: ClassVar[str] = "ladder.json"

    round: int
    """Counted from 1; one more than there are rounds of trials when the search is over."""
    rounds: tuple[tuple[str, ...], ...] = ()
    """The variants of each round of trials so far, the one asked for last included."""
    proposals: tuple[Proposal, ...] = ()
    """Of the round to come; none when the search is over."""
    trials: tuple[Trial, ...] = ()
    verdicts: tuple[RungVerdict, ...] = ()
    finalists: tuple[str, ...] = ()
    """Candidate ids, best first by the objective on validation: what goes to the proof on the
    test split, beside float32. Empty before the search is over."""
    training_s: float = 0.0
    """Of all trials together."""
    notes: tuple[str, ...] = ()
    """What else to know: why it ended, and which rungs can't help here."""
