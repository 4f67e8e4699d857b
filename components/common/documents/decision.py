"""Which candidate is blessed and why, which the gate writes."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from components.common.documents.base import Document, Lineage, Part
from components.common.documents.candidate import TFLiteModel
from components.common.documents.ladder import RankedCandidate

Verdict = Literal["blessed", "already_blessed", "not_blessed"]

Outcome = Literal["paid", "bought nothing", "cost too much"]
"""Of a step: smaller or faster at a loss that is allowed; neither; or at a loss that is not."""

Objective = Literal["size_bytes", "zipped_bytes", "latency_ms"]

SIZES: Mapping[str, str] = {
    "size_bytes": "raw",
    "zipped_bytes": "zipped",
    "xz_bytes": "as .xz",
    "zstd_bytes": "as .zst",
}
"""What of a file's size may have a budget, and the words for it: each names its codec."""


class Budgets(Part):
    """What was asked of the candidates, as the recipe states it; None where nothing was."""

    accuracy_drop: float | None = None
    blessed_accuracy_drop: float | None = None
    class_drop: float | None = None
    slice_drop: float | None = None
    min_accuracy: float | None = None
    min_class_recall: float | None = None
    size_bytes: int | None = None
    zipped_bytes: int | None = None
    xz_bytes: int | None = None
    zstd_bytes: int | None = None
    latency_ms: float | None = None
    objective: Objective = "zipped_bytes"
    confidence: float = 0.95
    balanced: bool = False

    def exceeded_sizes(
        self, model: TFLiteModel | RankedCandidate
    ) -> Iterator[tuple[str, int, int]]:
        """Yields the name, the figure and the budget of each size that is over its budget.

        A file that is too large for a slow codec counts as it is.
        """
        for name in SIZES:
            actual, budget = getattr(model, name) or model.size_bytes, getattr(self, name)
            if budget is not None and actual > budget:
                yield name, actual, budget


class Comparison(Part):
    """A paired comparison of accuracy: the candidate against a reference.

    Attributes are shares in [0, 1]: an accuracy drop of 0.01 is one point.
    """

    reference: str
    """`float32`, or `blessed <version>`, or a class or slice of these."""
    examples: int
    drop: float
    """Observed accuracy drop (negative: the candidate is better)."""
    upper_bound: float
    """One-sided upper confidence bound of the drop at `alpha` (Tango's score interval)."""
    lower_bound: float | None = None
    """For a class or slice, which fails only where this lies above the margin."""
    margin: float
    alpha: float
    passed: bool


class CandidateVerdict(Part):
    candidate_id: str
    finalist: bool = True
    """It was handed to the proof, by an evaluation on the test split."""
    accepted: bool
    """It meets every budget; the smallest accepted one wins."""
    summary: str
    """In one sentence, what it lost by or won by."""
    reasons: tuple[str, ...]
    """Why not, in whole sentences; for the winner, why it."""
    comparisons: tuple[Comparison, ...]


class StepGain(Part):
    """What one compression step bought: `pruning` or `int8`, candidate against candidate."""

    step: str
    before: str
    after: str
    """Candidate ids."""
    size_ratio: float
    zipped_ratio: float
    latency_ratio: float
    """After divided by before; below 1 is a gain. Latency is p50 at one thread."""
    accuracy_change: float
    outcome: Outcome
    message: str


class BlessedModel(Part):
    """The pointer's target as the gate saw it."""

    version: str
    model_sha256: str
    candidate_id: str
    generation: int
    """Of the pointer: publish moves it on condition that it is still this one."""


class Decision(Document):
    file_name: ClassVar[str] = "decision.json"

    verdict: Verdict
    summary: str
    """The verdict in one or two sentences."""
    budgets: Budgets
    winner: str | None
    """The candidate's id; None where nothing meets the budgets."""
    candidates: tuple[CandidateVerdict, ...]
    steps: tuple[StepGain, ...]
    power: float | None
    """Chance that a candidate as accurate as float is accepted, at this margin and size."""
    power_note: str = ""
    """What `power` was computed from, in whole sentences."""
    required_test_examples: int | None
    """The fewest with which the accuracy budgets can be proven at all."""
    notes: tuple[str, ...] = ()
    """What else to know: a comparison that was not possible, and why."""
    blessed_before: BlessedModel | None
    lineage: Lineage
