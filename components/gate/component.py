"""The KFP contract of gate."""

from typing import List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def gate(
    candidates: dsl.Input[List[dsl.Model]],  # noqa: UP006
    evaluations: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    benchmark: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Dataset],
    models: dsl.Input[dsl.Model],
    config: str,
    context: str,
    decision: dsl.Output[dsl.Artifact],
):
    """Chooses the smallest candidate that meets every budget, or none.

    Args:
      candidates: all candidates.
      evaluations: their evaluations, in any order.
      benchmark: their latencies.
      dataset: the dataset manifest, to evaluate the blessed model on.
      models: which variants the candidates are of.
      config: canonical JSON of GateConfig.
      context: canonical JSON of RunContext.
      decision: which candidate, why, and why not the others.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.gate.stage import STAGE

    run_component(STAGE.run, arguments)
