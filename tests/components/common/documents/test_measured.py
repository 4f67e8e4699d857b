"""Candidates, evaluations and latencies are joined by id, in whatever order they come."""

from pathlib import Path

import pytest

from components.common.documents.base import Lineage
from components.common.documents.benchmark import (
    Benchmark,
    BenchmarkMachine,
    CandidateBenchmark,
    Latency,
)
from components.common.documents.candidate import Candidate, SchemeSpec
from components.common.documents.evaluation import Estimate, Evaluation
from components.common.documents.measured import folders_by_id, join_candidates, read_candidates

LINEAGE = Lineage(stage="test", key="", inputs={})


def make_candidate(id_: str, failure: str | None = None) -> Candidate:
    scheme = SchemeSpec(kind="int8", backend="tflite_converter", settings={})
    return Candidate(
        candidate_id=id_, variant="dense", scheme=scheme, words="int8", class_names=("bar", "disc"),
        model=None, failure=failure, lineage=LINEAGE,
    )  # fmt: skip


def make_evaluation(id_: str, accuracy: float, failure: str | None = None) -> Evaluation:
    metrics = {} if failure else {"accuracy": Estimate(value=accuracy, low=0.0, high=1.0)}
    return Evaluation(
        candidate_id=id_, split="test", failure=failure, examples=9, metrics=metrics, per_class=(),
        per_slice=(), confusion=(), keras=None, lineage=LINEAGE,
    )  # fmt: skip


def make_benchmark(**p50_ms: dict[int, float]) -> Benchmark:
    """Returns a benchmark of candidates: id -> threads -> milliseconds."""
    return Benchmark(
        machine=BenchmarkMachine(cpu_model="A machine", cores=2),
        candidates=tuple(
            CandidateBenchmark(
                candidate_id=id_,
                latencies=tuple(
                    Latency(threads=threads, p50_ms=p50, p90_ms=9.0, p99_ms=9.0, runs=20)
                    for threads, p50 in latencies.items()
                ),
                peak_memory_bytes=1,
            )
            for id_, latencies in p50_ms.items()
        ),
        lineage=LINEAGE,
    )


def test_figures_are_joined_by_id_and_float32_comes_first() -> None:
    joined = join_candidates(
        [make_candidate("int8"), make_candidate("float32"), make_candidate("a")],
        [make_evaluation(id_, accuracy) for id_, accuracy in (("a", 0.1), ("int8", 0.8))],
        make_benchmark(int8={2: 0.3, 1: 0.5}, a={2: 0.2}),
    )
    assert list(joined) == ["float32", "a", "int8"]
    assert joined["int8"].accuracy == Estimate(value=0.8, low=0.0, high=1.0)
    assert joined["int8"].latency_ms == 0.5
    assert joined["a"].latency_ms is None
    assert joined["float32"].accuracy is None and joined["float32"].latency_ms is None


def test_a_failure_is_told_whichever_stage_it_befell() -> None:
    joined = join_candidates(
        [make_candidate("int8", "It fell."), make_candidate("float16"), make_candidate("float32")],
        [make_evaluation("int8", 0.0, "It fell."), make_evaluation("float16", 0.0, "It broke.")],
        None,
    )
    assert joined["int8"].failure == "It fell."
    assert joined["float16"].failure == "It broke."
    assert joined["float32"].failure == "It was not evaluated."


def test_what_only_ranked_a_candidate_is_none_of_its_figures() -> None:
    ranked = make_evaluation("int8", 0.9).model_copy(update={"split": "validation"})
    joined = join_candidates(
        [make_candidate("int8"), make_candidate("a", "It fell.")], [ranked], None
    )
    assert (joined["int8"].accuracy, joined["int8"].finalist) == (None, False)
    assert joined["a"].finalist, "one that could not be made has nothing to be evaluated"
    proven = make_evaluation("int8", 0.8)
    joined = join_candidates([make_candidate("int8")], [proven, ranked], None)
    assert joined["int8"].finalist and joined["int8"].evaluation == proven


def test_evaluations_of_other_candidates_are_refused(tmp_path: Path) -> None:
    made, judged, timed = tmp_path / "made", tmp_path / "judged", tmp_path / "timed"
    for folder, document in (
        (made, make_candidate("int8")),
        (judged, make_evaluation("float32", 0.9)),
        (timed, make_benchmark()),
    ):
        folder.mkdir()
        document.write(folder)
    with pytest.raises(ValueError, match=r"candidates \['int8'\] but evaluations \['float32'\]"):
        read_candidates([made], [judged], timed)
    assert folders_by_id(Candidate, [made]) == {"int8": made}
