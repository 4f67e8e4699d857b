"""The KFP contract of evaluate."""

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def evaluate(
    dataset: dsl.Input[dsl.Dataset],
    dense: dsl.Input[dsl.Model],
    candidate: dsl.Input[dsl.Model],
    candidate_id: str,
    config: str,
    context: str,
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    pruned: dsl.Input[dsl.Model] = None,
):
    """Measures a candidate's accuracy on the test split, in LiteRT.

    Args:
      dataset: the dataset manifest.
      dense: the dense model bundle, for its Keras predictions.
      candidate: the candidate.
      candidate_id: the candidate's id.
      config: canonical JSON of EvaluateConfig.
      context: canonical JSON of RunContext.
      evaluation: the evaluation.
      metrics: the same metrics, for KFP's UI.
      confusion: the confusion matrix, for KFP's UI.
      pruned: the pruned model bundle, where the recipe prunes.
    """
    from pathlib import Path

    from components.evaluate import stage

    stage.run(
        dataset=Path(dataset.path),
        dense=Path(dense.path),
        pruned=Path(pruned.path) if pruned else None,
        candidate=Path(candidate.path),
        candidate_id=candidate_id,
        config=config,
        context=context,
        evaluation=Path(evaluation.path),
        metrics=metrics,
        confusion=confusion,
    )
