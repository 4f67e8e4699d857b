"""The KFP contract of publish."""

from typing import List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def publish(
    dataset: dsl.Input[dsl.Dataset],
    models: dsl.Input[dsl.Model],
    candidates: dsl.Input[List[dsl.Model]],  # noqa: UP006
    evaluations: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    benchmark: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    page: dsl.Input[dsl.HTML],
    config: str,
    context: str,
    published: dsl.Output[dsl.Artifact],
):
    """Puts the winner into the registry and moves the blessed pointer to it.

    Args:
      dataset: the dataset manifest.
      models: which variants the candidates are of.
      candidates: all candidates.
      evaluations: their evaluations, in any order.
      benchmark: their latencies.
      decision: the gate's decision.
      page: the run's report.
      config: canonical JSON of PublishConfig.
      context: canonical JSON of RunContext.
      published: what was done.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.publish.stage import STAGE

    run_component(STAGE.run, arguments)
