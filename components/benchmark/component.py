"""The KFP contract of benchmark."""

from typing import List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl


@dsl.component(base_image="litesmith-lite", install_kfp_package=False)
def benchmark(
    dataset: dsl.Input[dsl.Dataset],
    candidates: dsl.Input[List[dsl.Model]],  # noqa: UP006
    config: str,
    context: str,
    benchmark: dsl.Output[dsl.Artifact],
):
    """Measures latency and memory of all candidates, interleaved in one process.

    Args:
      dataset: the dataset manifest, for real inputs.
      candidates: all candidates.
      config: canonical JSON of BenchmarkConfig.
      context: canonical JSON of RunContext.
      benchmark: latencies and memory by candidate.
    """
    arguments = dict(locals())

    from components.benchmark.stage import STAGE
    from components.common.shell.component import run_component

    run_component(STAGE.run, arguments)
