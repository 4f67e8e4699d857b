"""A candidate with what was measured of it: three stages' documents, joined by its id.

quantize writes one document a candidate, evaluate another, benchmark one for all of them. They
come in any order, as KFP collects them, so position means nothing: everybody who looks at
candidates joins them here.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from components.common.documents.benchmark import Benchmark, CandidateBenchmark
from components.common.documents.candidate import BASELINE_ID, Candidate
from components.common.documents.evaluation import Estimate, Evaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredCandidate:
    """A candidate, and what is known of it; a part is None where it was not come to.

    Its evaluation is the one on the test split: candidates may be ranked on another before.
    """

    candidate: Candidate
    evaluation: Evaluation | None
    benchmark: CandidateBenchmark | None

    @property
    def finalist(self) -> bool:
        """Whether it was handed to the proof; one that can't be made needs no evaluation."""
        return self.evaluation is not None or self.candidate.failure is not None

    @property
    def failure(self) -> str | None:
        """Why there are no metrics."""
        if self.candidate.failure is not None:
            return self.candidate.failure
        return "It was not evaluated." if self.evaluation is None else self.evaluation.failure

    @property
    def metrics(self) -> Mapping[str, Estimate]:
        return self.evaluation.metrics if self.evaluation is not None else {}

    @property
    def accuracy(self) -> Estimate | None:
        return self.metrics.get("accuracy")

    @property
    def latency_ms(self) -> float | None:
        """p50 at one thread."""
        latency = self.benchmark.at_one_thread if self.benchmark is not None else None
        return latency.p50_ms if latency is not None else None


def join_candidates(
    candidates: Iterable[Candidate],
    evaluations: Iterable[Evaluation],
    benchmark: Benchmark | None,
) -> dict[str, MeasuredCandidate]:
    """Returns candidates by id, float32 first.

    Evaluations of others are passed over, and those that only ranked.
    """
    judged = {one.candidate_id: one for one in evaluations if one.split == "test"}
    timed = {one.candidate_id: one for one in benchmark.candidates} if benchmark else {}
    return {
        candidate.candidate_id: MeasuredCandidate(
            candidate=candidate,
            evaluation=judged.get(candidate.candidate_id),
            benchmark=timed.get(candidate.candidate_id),
        )
        for candidate in sorted(candidates, key=lambda one: _place(one.candidate_id))
    }


def read_candidates(
    candidates: Sequence[Path], evaluations: Sequence[Path], benchmark: Path
) -> dict[str, MeasuredCandidate]:
    """Reads and joins what lies in the folders of a run's artifacts, for a proof.

    Args:
      candidates: all that were made.
      evaluations: of the finalists, on the test split; float32, which they are compared with,
        is one of them.
      benchmark: of the candidates.

    Raises:
      ValueError: the evaluations are not so.
    """
    made = [Candidate.read(folder) for folder in candidates]
    judged = [Evaluation.read(folder) for folder in evaluations]
    ids, finalists = ({one.candidate_id for one in documents} for documents in (made, judged))
    if not finalists <= ids or BASELINE_ID in ids - finalists:
        raise ValueError(f"candidates {sorted(ids)} but evaluations {sorted(finalists)}")
    for one in judged:
        if one.split != "test":
            raise ValueError(
                f"{one.candidate_id} was evaluated on the {one.split} split, which was there to "
                "choose by; what is proven is proven on the test split"
            )
    return join_candidates(made, judged, Benchmark.read(benchmark))


def folders_by_id(
    document: type[Candidate] | type[Evaluation], folders: Iterable[Path]
) -> dict[str, Path]:
    """Returns candidate id -> folder of its document, by id."""
    found = {document.read(folder).candidate_id: folder for folder in folders}
    return dict(sorted(found.items()))


def _place(candidate_id: str) -> tuple[bool, str]:
    return candidate_id != BASELINE_ID, candidate_id
