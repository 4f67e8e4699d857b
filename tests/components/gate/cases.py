"""Cases made up of counts: which examples a candidate gains and loses against float32."""

import numpy as np

from components.common.documents.decision import BlessedModel, Decision
from components.common.statistics.metrics import share_estimate
from components.gate.case import Blessed, Case
from components.gate.config import GateConfig
from components.gate.decisions import decide
from components.gate.entrants import Correct, Entrant, TestSplit
from tests.builders.artifacts import SPECS
from tests.builders.models import MODELS
from tests.builders.releases import describe_model
from tests.builders.synthetic import CLASS_NAMES, LINEAGE

EXAMPLES = 1000
BASE_WRONG = 50
"""Float32 gets the first so many examples wrong."""


def baseline_correct(examples: int = EXAMPLES) -> Correct:
    return np.arange(examples) >= BASE_WRONG


def correct_with(*, lost: int, gained: int, examples: int = EXAMPLES) -> Correct:
    """Returns float32's outcomes, but so many lost at the end and gained at the beginning."""
    correct = baseline_correct(examples)
    correct[:gained] = True
    correct[examples - lost :] = False
    return correct


def make_entrant(
    candidate_id: str,
    correct: Correct,
    *,
    size_bytes: int = 1000,
    zipped_bytes: int | None = None,
    latency_ms: float | None = 1.0,
    content: str | None = None,
) -> Entrant:
    data = (content or candidate_id).encode().ljust(size_bytes)
    return Entrant(
        candidate_id=candidate_id,
        variant=SPECS[candidate_id].variant,
        scheme=SPECS[candidate_id].scheme.kind,
        failure=None,
        model=describe_model(data, zipped_bytes=zipped_bytes or size_bytes),
        accuracy=share_estimate(int(correct.sum()), len(correct)),
        latency_ms=latency_ms,
        correct=correct,
    )


def float32(examples: int = EXAMPLES, *, size_bytes: int = 4000) -> Entrant:
    return make_entrant("float32", baseline_correct(examples), size_bytes=size_bytes)


def make_split(
    examples: int = EXAMPLES,
    *,
    labels: np.ndarray | None = None,
    slices: list[str] | None = None,
) -> TestSplit:
    """Labels rotate, as in the synthetic data set, where none are given."""
    return TestSplit(
        class_names=CLASS_NAMES,
        labels=np.arange(examples) % len(CLASS_NAMES) if labels is None else labels,
        slices=np.array([s.encode() for s in slices or [""] * examples]),
    )


def bless(
    entrant: Entrant,
    correct: Correct | None,
    *,
    obstacle: str = "",
    unseen: Correct | None = None,
) -> Blessed:
    """Returns a blessed model that is, byte for byte, an entrant's."""
    sha256 = entrant.measured_model.sha256
    model = BlessedModel(
        version=sha256[:12], model_sha256=sha256, candidate_id=entrant.candidate_id, generation=7
    )
    return Blessed(model=model, correct=correct, obstacle=obstacle, unseen=unseen)


def decide_on(
    *entrants: Entrant,
    blessed: Blessed | None = None,
    labels: np.ndarray | None = None,
    slices: list[str] | None = None,
    **budgets: object,
) -> Decision:
    """Decides with a margin of 2 points unless another one is given."""
    examples = next((len(e.correct) for e in entrants if e.correct is not None), 0)
    config = GateConfig(**{"accuracy_drop": 0.02, **budgets})  # type: ignore[arg-type]
    split = make_split(examples, labels=labels, slices=slices) if examples else None
    case = Case(entrants=entrants, models=MODELS, split=split, budgets=config, blessed=blessed)
    return decide(case, lineage=LINEAGE)


def verdict_on(decision: Decision, candidate_id: str) -> tuple[bool, str]:
    """Returns whether a candidate is accepted, and the reasons as one text."""
    (verdict,) = [v for v in decision.candidates if v.candidate_id == candidate_id]
    assert verdict.reasons, "every candidate is told why"
    return verdict.accepted, " ".join(verdict.reasons)
