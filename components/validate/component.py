"""The KFP contract of validate."""

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def validate(
    dataset: dsl.Input[dsl.Dataset],
    config: str,
    context: str,
    validation: dsl.Output[dsl.Artifact],
):
    """Stops the run where the data set can't give a model worth its name.

    Args:
      dataset: the dataset manifest.
      config: canonical JSON of ValidateConfig.
      context: canonical JSON of RunContext.
      validation: what was noticed.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.validate.stage import STAGE

    run_component(STAGE.run, arguments)
