"""Releases made up for tests: any bytes will do as a model."""

import hashlib

from components.common.documents.candidate import TensorSpec, TFLiteModel
from components.common.documents.evaluation import Estimate
from components.common.documents.release import Release
from components.common.registry import Registry
from tests.builders.synthetic import CLASS_NAMES, LINEAGE


def describe_model(data: bytes, *, zipped_bytes: int | None = None) -> TFLiteModel:
    """Describes bytes as if they were a float32 `.tflite` of 16×16 grey pictures."""
    return TFLiteModel(
        size_bytes=len(data),
        zipped_bytes=len(data) if zipped_bytes is None else zipped_bytes,
        xz_bytes=len(data) if zipped_bytes is None else zipped_bytes,
        zstd_bytes=len(data) if zipped_bytes is None else zipped_bytes,
        sha256=hashlib.sha256(data).hexdigest(),
        input=TensorSpec(
            name="image", dtype="float32", shape=(1, 16, 16, 1), scale=0, zero_point=0
        ),
        output=TensorSpec(
            name="probabilities",
            dtype="float32",
            shape=(1, len(CLASS_NAMES)),
            scale=0,
            zero_point=0,
        ),
        operators={"CONV_2D": 1},
        sparsity=(),
        parameters=1000,
        macs=100_000,
    )


def make_release(data: bytes, *, run_id: str = "run", candidate_id: str = "int8") -> Release:
    model = describe_model(data)
    return Release(
        model_name="shapes",
        candidate_id=candidate_id,
        model=model,
        class_names=CLASS_NAMES,
        metrics={
            "accuracy": Estimate(value=0.9, low=0.85, high=0.94),
            "top5_accuracy": Estimate(value=1.0, low=0.94, high=1.0),
        },
        latency_ms=0.5,
        dataset_fingerprint="synthetic",
        created="2026-01-02T03:04:05+00:00",
        run_id=run_id,
        lineage=LINEAGE,
    )


def publish_and_bless(
    registry: Registry, data: bytes, *, run_id: str = "run", **documents: bytes
) -> Release:
    """Does what a run that nobody disturbs does."""
    _, generation = registry.blessed()
    documents = {"run.txt": run_id.encode(), **documents}
    made = make_release(data, run_id=run_id).model_copy(update={"model_name": registry.model_name})
    release = registry.publish(made, data, documents)
    registry.bless(release, run_id=run_id, generation=generation)
    return release
