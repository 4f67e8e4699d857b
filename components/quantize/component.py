"""The KFP contract of quantize."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def quantize(
    dataset: dsl.Input[dsl.Dataset],
    dense: dsl.Input[dsl.Model],
    candidate_id: str,
    config: str,
    context: str,
    candidate: dsl.Output[dsl.Model],
    pruned: dsl.Input[dsl.Model] = None,
):
    """Converts a model to TFLite by one scheme.

    Args:
      dataset: the dataset manifest, for calibration.
      dense: the dense model bundle.
      candidate_id: which candidate to make: `int8`, `pruned-int8`.
      config: canonical JSON of QuantizeConfig.
      context: canonical JSON of RunContext.
      candidate: the candidate, or why it could not be made.
      pruned: the pruned model bundle, where the recipe prunes.
    """
    from pathlib import Path

    from components.quantize import stage

    stage.run(
        dataset=Path(dataset.path),
        dense=Path(dense.path),
        pruned=Path(pruned.path) if pruned else None,
        candidate_id=candidate_id,
        config=config,
        context=context,
        candidate=Path(candidate.path),
    )
