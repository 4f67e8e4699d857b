"""The DAG: it connects contracts and does nothing else.

    preprocess -> validate -> finetune -> prune -> candidate (each: quantize, then evaluate)
    -> benchmark -> gate -> report -> publish, and notify however it ends

A recipe fixes the DAG's shape (prune or not); every value of the recipe is a pipeline
parameter, so that recipes of one shape share one DAG.
"""

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from components.benchmark.component import benchmark
from components.candidate.component import candidate
from components.finetune.component import finetune
from components.gate.component import gate
from components.notify.component import notify
from components.preprocess.component import preprocess
from components.prune.component import prune
from components.publish.component import publish
from components.report.component import report
from components.validate.component import validate

PARALLEL_CANDIDATES = 2


def build_dag(
    *, prunes: bool, place: Callable[[dsl.PipelineTask], object] = lambda task: None
) -> BaseComponent:
    """Returns the KFP pipeline.

    Args:
      prunes: whether there is a prune task, and candidates made from its model.
      place: says of each task where it runs: its image, its machine.
    """

    def placed(task: dsl.PipelineTask) -> dsl.PipelineTask:
        # KFP's cache stays off: its key does not see the code that a component imports.
        place(task)
        return task.set_caching_options(False)

    @dsl.pipeline(
        name="litesmith" if prunes else "litesmith-dense",
        description="From a labelled data set to a blessed TFLite model.",
    )
    def litesmith(
        context: str,
        candidate_ids: List[str],  # noqa: UP006
        preprocess_config: str,
        validate_config: str,
        finetune_config: str,
        prune_config: str,
        quantize_config: str,
        evaluate_config: str,
        benchmark_config: str,
        gate_config: str,
        report_config: str,
        publish_config: str,
        notify_config: str,
    ):
        with dsl.ExitHandler(placed(notify(config=notify_config, context=context))):
            data = placed(preprocess(config=preprocess_config, context=context))
            dataset = data.outputs["dataset"]
            checked = placed(validate(dataset=dataset, config=validate_config, context=context))
            trained = placed(
                finetune(dataset=dataset, config=finetune_config, context=context)
            ).after(checked)
            models = {"dense": trained.outputs["bundle"]}
            if prunes:
                models["pruned"] = placed(
                    prune(
                        dataset=dataset,
                        bundle=trained.outputs["bundle"],
                        config=prune_config,
                        context=context,
                    )
                ).outputs["pruned"]

            with dsl.ParallelFor(candidate_ids, parallelism=PARALLEL_CANDIDATES) as candidate_id:
                made = placed(
                    candidate(
                        dataset=dataset,
                        candidate_id=candidate_id,
                        quantize_config=quantize_config,
                        evaluate_config=evaluate_config,
                        context=context,
                        **models,
                    )
                )

            def candidates() -> dsl.Collected:
                # The compiler rewrites a Collected in place: each consumer needs its own.
                return dsl.Collected(made.outputs["candidate"])

            def results() -> dict[str, Any]:
                return {
                    "dataset": dataset,
                    "candidates": candidates(),
                    "evaluations": dsl.Collected(made.outputs["evaluation"]),
                    "benchmark": measured.outputs["benchmark"],
                    "context": context,
                }

            measured = placed(
                benchmark(
                    dataset=dataset,
                    candidates=candidates(),
                    config=benchmark_config,
                    context=context,
                )
            )
            decided = placed(gate(config=gate_config, **results()))
            decision = decided.outputs["decision"]
            reported = placed(
                report(
                    validation=checked.outputs["validation"],
                    decision=decision,
                    config=report_config,
                    **models,
                    **results(),
                )
            )
            placed(
                publish(
                    decision=decision,
                    page=reported.outputs["page"],
                    config=publish_config,
                    **results(),
                )
            )

    return litesmith
