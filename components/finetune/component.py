"""The KFP contract of finetune."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def finetune(
    dataset: dsl.Input[dsl.Dataset],
    config: str,
    context: str,
    models: dsl.Output[dsl.Model],
):
    """Fine-tunes a pretrained backbone with a new head.

    Args:
      dataset: the dataset manifest.
      config: canonical JSON of FinetuneConfig.
      context: canonical JSON of RunContext.
      models: where its bundle is in the store.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.finetune import stage

    run_component(stage.run, arguments)
