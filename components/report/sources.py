"""What a report is made from: the documents of one run, in memory."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.dataset import DatasetManifest
from components.common.documents.decision import CandidateVerdict, Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.ladder import Ladder
from components.common.documents.measured import MeasuredCandidate
from components.common.documents.models import Models
from components.common.documents.near_copies import NearCopies
from components.common.documents.oddities import Oddities
from components.common.documents.record import Receipt
from components.common.documents.rejects import Reject
from components.common.documents.validation import Validation
from components.report.config import ReportConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """Every document of a run up to the gate; candidates are joined by their ids."""

    run_id: str
    recipe_name: str
    config: ReportConfig
    manifest: DatasetManifest
    rejects: Sequence[Reject]
    near_copies: NearCopies
    oddities: Oddities
    validation: Validation
    models: Models
    candidates: Mapping[str, MeasuredCandidate]
    benchmark: Benchmark
    decision: Decision
    receipt: Receipt
    paths: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """In the source, of those examples that are known by their ids alone."""
    search: Ladder | None = None
    """None where the recipe declares its variants."""

    def ordered_ids(self) -> list[str]:
        """Returns the candidates from float32 downwards in size; failed ones come last."""

        def rank(id_: str) -> tuple[bool, bool, int, str]:
            model = self.candidates[id_].candidate.model
            return id_ != BASELINE_ID, model is None, -model.zipped_bytes if model else 0, id_

        return sorted(self.candidates, key=rank)

    def evaluation(self, id_: str | None) -> Evaluation | None:
        """Returns a candidate's evaluation, None where there are no metrics."""
        found = self.candidates.get(id_) if id_ is not None else None
        return found.evaluation if found is not None and found.failure is None else None

    def verdict(self, id_: str) -> CandidateVerdict | None:
        return next((c for c in self.decision.candidates if c.candidate_id == id_), None)

    def focus(self) -> str | None:
        """Returns the candidate whose answers the report looks into: the winner, or float32."""
        for id_ in (self.decision.winner, BASELINE_ID):
            if self.evaluation(id_) is not None:
                return id_
        return None

    def challenger(self) -> str | None:
        """Returns the candidate to hold against float32, which has answers of its own.

        It is the winner; where float32 won or nothing did, the most accurate of the others.
        """
        if self.decision.winner not in (None, BASELINE_ID):
            return self.decision.winner
        others = [id_ for id_ in self.ordered_ids() if id_ != BASELINE_ID and self.evaluation(id_)]
        return max(
            others, key=lambda id_: self.candidates[id_].metrics["accuracy"].value, default=None
        )
