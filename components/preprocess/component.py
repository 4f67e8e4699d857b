"""The KFP contract of preprocess."""

from kfp import dsl


@dsl.component(base_image="litesmith-beam", install_kfp_package=False)
def preprocess(config: str, context: str, dataset: dsl.Output[dsl.Dataset]):
    """Turns labelled pictures into sharded TFRecords.

    Args:
      config: canonical JSON of PreprocessConfig.
      context: canonical JSON of RunContext.
      dataset: the dataset manifest; the shards themselves stay under the data root.
    """
    from pathlib import Path

    from components.preprocess import stage

    stage.run(config=config, context=context, dataset=Path(dataset.path))
