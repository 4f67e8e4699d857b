"""The KFP contract of rung: it composes compress, quantize and evaluate, for one variant in a task.

KFP starts two pods for a task, and loses sight of a run of many; a conversion takes as long as an
epoch. Each stage keeps its own key, entry in the store and result.
"""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def rung(
    dataset: dsl.Input[dsl.Dataset],
    models: dsl.Input[dsl.Model],
    variant_id: str,
    quantize_config: str,
    evaluate_config: str,
    context: str,
    trial: dsl.Output[dsl.Artifact],
):
    """Makes a variant that a search asks for, and ranks its candidates on the validation split.

    Args:
      dataset: the dataset manifest.
      models: where the bundles so far are in the store; beside it, what the search asks for.
      variant_id: which variant to make: `prune80`.
      quantize_config: canonical JSON of QuantizeConfig.
      evaluate_config: canonical JSON of EvaluateConfig.
      context: canonical JSON of RunContext.
      trial: what came of it, and the models so far with this one.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.rung import stage

    run_component(stage.run, arguments)
