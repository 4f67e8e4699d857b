"""How a run ended, which notify writes."""

from typing import ClassVar, Literal

from components.common.documents.base import Document, Part
from components.common.documents.decision import Verdict
from components.common.documents.evaluation import Estimate


class TaskSummary(Part):
    """A task of a run, without the record of its computation."""

    task: str
    status: Literal["computed", "cached", "given_up", "failed"]
    seconds: float
    message: str = ""
    user_error: bool = False


class CandidateSummary(Part):
    """A row of the final table."""

    candidate_id: str
    accuracy: Estimate | None
    size_bytes: int | None
    zipped_bytes: int | None
    latency_ms: float | None
    """p50 at one thread."""
    accepted: bool
    reason: str
    """Why it won, or why it was not taken."""


class BlessedSummary(Part):
    """The model that was blessed before the run."""

    version: str
    candidate_id: str
    accuracy: Estimate | None
    size_bytes: int
    zipped_bytes: int
    latency_ms: float | None
    """As it was measured when it was released, maybe on another machine."""


class RunResults(Part):
    """The tasks of a run, and its candidates beside the model that was blessed before."""

    winner: str | None = None
    candidates: tuple[CandidateSummary, ...] = ()
    blessed_before: BlessedSummary | None = None
    tasks: tuple[TaskSummary, ...] = ()
    """In the order in which they ended."""


class Outcome(Document):
    """How a run ended: all that its verdict, its exit status and a CI job's files are made of.

    Written by the exit handler, or by whoever stopped the run; who waits for the run reads
    nothing else of it, so that a folder out of reach takes nothing away.
    """

    file_name: ClassVar[str] = "outcome.json"

    run_id: str
    state: Literal["succeeded", "failed", "interrupted"]
    verdict: Verdict | None
    message: str
    failed_task: str | None
    """None too where a task failed that left no word, and is not known by name."""
    user_error: bool = False
    """Whether it failed for what the user stated or gave, as its task says."""
    model: str | None = None
    """Where the blessed model lies."""
    results: RunResults = RunResults()
