"""The KFP contract of candidate: it composes quantize and evaluate, for one candidate in one task.

KFP starts two pods for a task, and between these two stages there is one small file. Each stage
keeps its own key, entry in the store and result.
"""

from typing import Any

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def candidate(
    dataset: dsl.Input[dsl.Dataset],
    models: dsl.Input[dsl.Model],
    candidate_id: str,
    quantize_config: str,
    evaluate_config: str,
    context: str,
    candidate: dsl.Output[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
):
    """Converts a model to TFLite by one scheme, and measures its accuracy on the test split.

    Args:
      dataset: the dataset manifest.
      models: where the bundles are in the store.
      candidate_id: which candidate to make: `int8`, `pruned-int8`.
      quantize_config: canonical JSON of QuantizeConfig.
      evaluate_config: canonical JSON of EvaluateConfig.
      context: canonical JSON of RunContext.
      candidate: the candidate, or why it could not be made.
      evaluation: the evaluation.
      metrics: the same metrics, for KFP's UI.
      confusion: the confusion matrix, for KFP's UI.
    """
    import tempfile
    from pathlib import Path

    from components.evaluate import stage as evaluate
    from components.quantize import stage as quantize

    shared: dict[str, Any] = {
        "dataset": Path(dataset.path),
        "models": Path(models.path),
        "candidate": Path(candidate.path),
        "candidate_id": candidate_id,
        "context": context,
    }
    with tempfile.TemporaryDirectory() as scratch:
        shared["scratch"] = Path(scratch)
        quantize.run(config=quantize_config, **shared)
        evaluate.run(
            config=evaluate_config,
            evaluation=Path(evaluation.path),
            metrics=metrics,
            confusion=confusion,
            **shared,
        )
