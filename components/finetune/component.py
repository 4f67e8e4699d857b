"""The KFP contract of finetune."""

from kfp import dsl


@dsl.component(base_image="litesmith-train", install_kfp_package=False)
def finetune(
    dataset: dsl.Input[dsl.Dataset],
    config: str,
    context: str,
    bundle: dsl.Output[dsl.Model],
):
    """Fine-tunes a pretrained backbone with a new head.

    Args:
      dataset: the dataset manifest.
      config: canonical JSON of FinetuneConfig.
      context: canonical JSON of RunContext.
      bundle: the model bundle.
    """
    from pathlib import Path

    from components.finetune import stage

    stage.run(dataset=Path(dataset.path), config=config, context=context, bundle=Path(bundle.path))
