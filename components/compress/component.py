"""The KFP contract of compress."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def compress(
    dataset: dsl.Input[dsl.Dataset],
    models: dsl.Input[dsl.Model],
    variant_id: str,
    config: str,
    context: str,
    compressed: dsl.Output[dsl.Model],
):
    """Makes a variant of a model by compression steps while it goes on training.

    Args:
      dataset: the dataset manifest.
      models: where the bundles so far are in the store, among them that of the parent.
      variant_id: which of the recipe's variants to make: `pruned`.
      config: canonical JSON of CompressConfig.
      context: canonical JSON of RunContext.
      compressed: the models so far, and this one.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.compress import stage

    run_component(stage.run, arguments)
