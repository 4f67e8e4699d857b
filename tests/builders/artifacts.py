"""Candidates, evaluations and benchmarks as artifacts, made up without any model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.common.data.predictions import (
    Predictions,
    make_predictions,
    write_evaluation_predictions,
)
from components.common.digests import tree_digest
from components.common.documents.base import Lineage
from components.common.documents.benchmark import (
    Benchmark,
    BenchmarkMachine,
    CandidateBenchmark,
    Latency,
)
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import DatasetManifest, Split
from components.common.documents.evaluation import ClassMetrics, Evaluation
from components.common.documents.record import Record
from components.common.documents.variant import DENSE
from components.common.run_context import RunContext
from components.common.shell.inputs import input_digest
from components.common.statistics.metrics import confusion_matrix, predicted_classes, share_estimate
from components.common.tasks.reading import read_examples
from components.quantize.config import QuantizeConfig
from components.quantize.schemes import SCHEMES
from tests.builders.models import MODELS
from tests.builders.releases import describe_model
from tests.builders.synthetic import CLASS_NAMES, LINEAGE, write_dataset

_SCHEMES = tuple(kind for kind in SCHEMES if kind != "int8_selective")  # It needs settings.
SPECS = {
    spec.id: spec
    for spec in QuantizeConfig(schemes=_SCHEMES, compressed_schemes=_SCHEMES)
    .with_candidates((DENSE, "pruned"))
    .candidates
}
"""Of every candidate that a recipe could ask for, by its id."""


def write_candidate(folder: Path, candidate_id: str, data: bytes) -> Candidate:
    candidate = Candidate(
        candidate_id=candidate_id,
        variant=SPECS[candidate_id].variant,
        scheme=SPECS[candidate_id].scheme,
        words=SCHEMES[SPECS[candidate_id].scheme.kind].words,
        class_names=CLASS_NAMES,
        model=describe_model(data),
        failure=None,
        lineage=LINEAGE,
    )
    candidate.write(folder)
    (folder / "model.tflite").write_bytes(data)
    return candidate


def predict_test_split(
    context: RunContext, manifest: DatasetManifest, correct: Any, *, seed: int = 0
) -> Predictions:
    """Returns predictions that are right where `correct` (bool [n]) says, in an order of their own.

    The order of `correct` is that of the shards.
    """
    examples = list(read_examples(manifest, "test", context.data()))
    assert len(examples) == len(correct)
    labels = np.array([example.label for example in examples])
    predicted = np.where(correct, labels, (labels + 1) % len(CLASS_NAMES))
    probabilities = np.full((len(labels), len(CLASS_NAMES)), 0.1)
    probabilities[np.arange(len(labels)), predicted] = 0.8
    order = np.random.default_rng(seed).permutation(len(labels))
    return make_predictions(
        [examples[at].id for at in order],
        labels[order],
        probabilities[order],
        [examples[at].slice for at in order],
    )


def measured_from(**inputs: str) -> Lineage:
    return LINEAGE.model_copy(update={"inputs": inputs})


def write_evaluation(
    folder: Path,
    candidate_id: str,
    predictions: Predictions,
    *,
    lineage: Lineage = LINEAGE,
    split: Split = "test",
) -> Evaluation:
    labels, predicted = predictions.labels, predicted_classes(predictions.probabilities)
    confusion = confusion_matrix(labels, predicted, len(CLASS_NAMES))
    classes = [
        ClassMetrics(
            class_name=name,
            examples=int(confusion[label].sum()),
            recall=share_estimate(int(confusion[label, label]), int(confusion[label].sum())),
            precision=float(confusion[label, label] / max(1, confusion[:, label].sum())),
            f1=0.5,
        )
        for label, name in enumerate(CLASS_NAMES)
    ]
    evaluation = Evaluation(
        candidate_id=candidate_id,
        split=split,
        failure=None,
        examples=len(predictions),
        metrics={
            "accuracy": share_estimate(int((labels == predicted).sum()), len(predictions)),
            "top5_accuracy": share_estimate(len(predictions), len(predictions)),
        },
        per_class=tuple(classes),
        per_slice=(),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        keras=None,
        lineage=lineage,
    )
    evaluation.write(folder)
    write_evaluation_predictions(folder, predictions)
    return evaluation


def write_benchmark(
    folder: Path, p50_ms: Mapping[str, float], *, lineage: Lineage = LINEAGE
) -> Benchmark:
    benchmark = Benchmark(
        machine=BenchmarkMachine(cpu_model="A machine", cores=2),
        candidates=tuple(
            CandidateBenchmark(
                candidate_id=candidate_id,
                latencies=tuple(
                    Latency(threads=threads, p50_ms=p50 / threads, p90_ms=p50, p99_ms=p50, runs=20)
                    for threads in (1, 2)
                ),
                peak_memory_bytes=1_000_000,
            )
            for candidate_id, p50 in p50_ms.items()
        ),
        lineage=lineage,
    )
    benchmark.write(folder)
    return benchmark


def make_record(
    stage: str,
    *,
    config: Mapping[str, Any],
    key: str = "key",
    inputs: Mapping[str, str] | None = None,
    output_digest: str = "output",
    libraries: Mapping[str, str] | None = None,
) -> Record:
    return Record(
        stage=stage,
        key=key,
        config=config,
        identity={},
        inputs=inputs or {},
        code="c0de",
        image="",
        libraries=libraries or {},
        output_digest=output_digest,
        started="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        peak_memory_bytes=1000,
        measurements={},
    )


def write_measured_run(
    folder: Path, context: RunContext, models: Mapping[str, bytes], *, examples: int = 400
) -> dict[str, Any]:
    """Writes what the gate reads: candidates that agree on all test examples.

    Returns:
      The inputs by name. Evaluations are in another order than the candidates, and each
      lists the examples in an order of its own: lists are joined by id.
    """
    counts: dict[Split, int] = {"train": 6, "validation": 3, "test": examples}
    manifest = write_dataset(context, folder / "dataset", examples=counts)
    correct = np.arange(examples) >= examples // 20
    for seed, (id_, data) in enumerate(models.items()):
        write_candidate(folder / id_, id_, data)
        predictions = predict_test_split(context, manifest, correct, seed=seed)
        lineage = measured_from(candidate=tree_digest(folder / id_))
        write_evaluation(folder / f"{id_}-evaluation", id_, predictions, lineage=lineage)
    lineage = measured_from(candidates=input_digest([folder / id_ for id_ in models]))
    write_benchmark(folder / "benchmark", dict.fromkeys(models, 1.0), lineage=lineage)
    MODELS.write(folder / "models")
    return {
        "models": folder / "models",
        "candidates": tuple(folder / id_ for id_ in models),
        "evaluations": tuple(folder / f"{id_}-evaluation" for id_ in reversed(models)),
        "benchmark": folder / "benchmark",
        "dataset": folder / "dataset",
    }
