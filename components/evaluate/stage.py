"""evaluate: a candidate on the test or the validation split, in LiteRT, fed what a device feeds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.common.documents.candidate import BASELINE_ID, Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.documents.evaluation import Evaluation, Threshold, telling_metrics
from components.common.documents.models import Models
from components.common.errors import UserError
from components.common.process.machine import usable_cores
from components.common.shell.stage import Stage, Task, execute
from components.common.words.figures import percent
from components.evaluate.config import EvaluateConfig

if TYPE_CHECKING:
    from components.common.data.examples import Labelled
    from components.common.data.predictions import Predictions


def run(
    *,
    dataset: Path,
    models: Path,
    candidate: Path,
    candidate_id: str,
    config: str,
    context: str,
    evaluation: Path,
    metrics: Any = None,
    confusion: Any = None,
    scratch: Path | None = None,
) -> None:
    """Evaluates one candidate, and logs its figures to KFP, from the store as well.

    Args:
      dataset: the dataset manifest's directory.
      models: where the bundles are in the store.
      candidate: the candidate.
      candidate_id: the candidate's id.
      config: canonical JSON of EvaluateConfig.
      context: canonical JSON of RunContext.
      evaluation: where the evaluation goes.
      metrics: KFP's Metrics artifact, where it is to show them.
      confusion: KFP's ClassificationMetrics artifact, likewise.
      scratch: where the bundle is put, or was put before.
    """
    made, own = Candidate.read(candidate), EvaluateConfig.from_json(config)
    execute(
        STAGE,
        config=own,
        context=context,
        inputs={
            "dataset": dataset,
            "bundle": Models.read(models).entry(made.variant).stored,
            "candidate": candidate,
        },
        output=evaluation,
        instance=candidate_id if own.split == "test" else f"{candidate_id} on {own.split}",
        scratch=scratch,
    )
    _log(Evaluation.read(evaluation), made.class_names, metrics, confusion)


def _log(
    evaluation: Evaluation, class_names: tuple[str, ...], metrics: Any, confusion: Any
) -> None:
    if evaluation.failure is not None or metrics is None:
        return
    for name, estimate in telling_metrics(evaluation.metrics, len(class_names)).items():
        metrics.log_metric(name, estimate.value)
    matrix = [list(row) for row in evaluation.confusion]
    confusion.log_confusion_matrix(list(class_names), matrix)


def _compute(task: Task[EvaluateConfig]) -> Mapping[str, float]:
    import time

    from components.common.lite.inference import predict_examples
    from components.common.lite.litert import LiteRTError
    from components.common.tasks.reading import device_input

    candidate = Candidate.read(task.inputs["candidate"])
    manifest = DatasetManifest.read(task.inputs["dataset"])
    if candidate.failure is not None:
        _write_failure(task, candidate.candidate_id, candidate.failure)
        return {}
    split = task.config.split
    if manifest.splits[split].examples == 0:
        raise UserError(
            f"the data set's {split} split is empty, so no model can be evaluated; give it a "
            f"share of the examples (data.splits.{split})"
        )
    started, sizes = time.monotonic(), list[int]()
    model = task.inputs["candidate"] / "model.tflite"
    try:
        predictions = predict_examples(
            model,
            _examples(task, manifest, sizes),
            see=device_input(manifest, model),
            threads=usable_cores(),
        )
    except LiteRTError as error:
        _write_failure(task, candidate.candidate_id, str(error))
        return {}
    seconds = time.monotonic() - started
    _write_evaluation(task, candidate, predictions, sizes)
    return {"examples_per_s": len(predictions) / seconds}


def _examples(
    task: Task[EvaluateConfig], manifest: DatasetManifest, sizes: list[int]
) -> "Iterator[Labelled]":
    """Yields the examples, and appends the size of each."""
    from components.common.tasks.reading import read_examples
    from components.common.tasks.sizes import size_of
    from components.common.tasks.sources import sources_of

    split = task.config.split
    for example in task.events.track(
        read_examples(manifest, split, task.context.data()),
        sources_of(manifest.task).EXAMPLES,
        total=manifest.splits[split].examples,
    ):
        sizes.append(size_of(example, manifest))
        yield example


def _write_failure(task: Task[EvaluateConfig], candidate_id: str, failure: str) -> None:
    Evaluation(
        candidate_id=candidate_id,
        split=task.config.split,
        failure=failure,
        examples=0,
        metrics={},
        per_class=(),
        per_slice=(),
        confusion=(),
        keras=None,
        lineage=task.lineage,
    ).write(task.output)


def _write_evaluation(
    task: Task[EvaluateConfig],
    candidate: Candidate,
    predictions: "Predictions",
    sizes: Sequence[int],
) -> None:
    from components.common.data.predictions import (
        read_bundle_predictions,
        write_evaluation_predictions,
    )
    from components.common.tasks.sizes import name_sizes
    from components.evaluate.assessment import (
        assess_classes,
        assess_confusion,
        assess_metrics,
        assess_sizes,
        assess_slices,
        compare_with_keras,
    )
    from components.evaluate.labels import find_doubtful_labels
    from components.evaluate.thresholds import assess_thresholds

    manifest, bundle = DatasetManifest.read(task.inputs["dataset"]), task.inputs["bundle"]
    thresholds: Sequence[Threshold] = ()
    doubtful = None
    if task.config.split == "test":
        validation = read_bundle_predictions(bundle, "validation")
        if candidate.candidate_id == BASELINE_ID:
            doubtful = find_doubtful_labels(validation)
        asked = task.config.answered_accuracy
        thresholds = [*assess_thresholds(predictions, validation, accuracy=asked)]
        if asked is not None and not any(threshold.chosen for threshold in thresholds):
            task.events.warn(
                f"evaluate.answered_accuracy: whichever score it takes to answer, fewer than "
                f"{percent(asked)} of the answers on the validation split are right"
            )
    confusion = assess_confusion(predictions)
    write_evaluation_predictions(task.output, predictions)
    Evaluation(
        candidate_id=candidate.candidate_id,
        split=task.config.split,
        failure=None,
        examples=len(predictions),
        metrics=assess_metrics(
            predictions,
            calibration_bins=task.config.calibration_bins,
            resamples=task.config.bootstrap_resamples,
        ),
        per_class=tuple(assess_classes(confusion, candidate.class_names)),
        per_slice=tuple(assess_slices(predictions)),
        per_size=tuple(assess_sizes(predictions, sizes, name_sizes(manifest))),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        keras=compare_with_keras(predictions, read_bundle_predictions(bundle, task.config.split)),
        thresholds=tuple(thresholds),
        doubtful=doubtful,
        lineage=task.lineage,
    ).write(task.output)


STAGE = Stage(name="evaluate", config=EvaluateConfig, output="evaluation", compute=_compute)
