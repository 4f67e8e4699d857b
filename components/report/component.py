"""The KFP contract of report."""

from typing import List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def report(
    dataset: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    models: dsl.Input[dsl.Model],
    candidates: dsl.Input[List[dsl.Model]],  # noqa: UP006
    evaluations: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    benchmark: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    config: str,
    context: str,
    page: dsl.Output[dsl.HTML],
):
    """Writes the run's report: one HTML page that opens without a network.

    Args:
      dataset: the dataset manifest.
      validation: what validate noticed.
      models: all variants.
      candidates: all candidates.
      evaluations: their evaluations, in any order.
      benchmark: their latencies.
      decision: the gate's decision.
      config: canonical JSON of ReportConfig.
      context: canonical JSON of RunContext.
      page: the report.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.report.stage import STAGE

    run_component(STAGE.run, arguments)
