"""The KFP contract of prune."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def prune(
    dataset: dsl.Input[dsl.Dataset],
    dense: dsl.Input[dsl.Model],
    config: str,
    context: str,
    pruned: dsl.Output[dsl.Model],
):
    """Prunes a model by magnitude while it goes on training.

    Args:
      dataset: the dataset manifest.
      dense: the dense model bundle.
      config: canonical JSON of PruneConfig.
      context: canonical JSON of RunContext.
      pruned: the pruned model bundle.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.prune.stage import STAGE

    run_component(STAGE, arguments)
