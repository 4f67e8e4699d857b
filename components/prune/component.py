"""The KFP contract of prune."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def prune(
    dataset: dsl.Input[dsl.Dataset],
    bundle: dsl.Input[dsl.Model],
    config: str,
    context: str,
    pruned: dsl.Output[dsl.Model],
):
    """Prunes a model by magnitude while it goes on training.

    Args:
      dataset: the dataset manifest.
      bundle: the dense model bundle.
      config: canonical JSON of PruneConfig.
      context: canonical JSON of RunContext.
      pruned: the pruned model bundle.
    """
    from pathlib import Path

    from components.prune import stage

    stage.run(
        dataset=Path(dataset.path),
        bundle=Path(bundle.path),
        config=config,
        context=context,
        pruned=Path(pruned.path),
    )
