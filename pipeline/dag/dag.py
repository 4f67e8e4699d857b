"""The DAG: it connects contracts and does nothing else.

    preprocess -> validate -> finetune -> compress (one variant after the other)
    -> candidate (each at once: quantize, then evaluate)
    -> benchmark -> gate -> report -> publish, and notify however it ends

Where a recipe searches, rounds take the place of the compress tasks; each learns from those before:

    rung (the dense model) -> propose -> rung (each proposed variant at once) -> propose -> ...

A task's inputs are found by their names: among the pipeline's parameters, and among the outputs of
the tasks before. A recipe fixes the DAG's shape (its variants, or its rounds); every value of the
recipe is a parameter, so that recipes of one shape share one DAG.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, List  # noqa: UP035 (KFP reads this spelling)

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from components.benchmark.component import benchmark
from components.candidate.component import candidate
from components.common.documents.variant import DENSE
from components.compress.component import compress
from components.finetune.component import finetune
from components.gate.component import gate
from components.notify.component import notify
from components.preprocess.component import preprocess
from components.propose.component import propose
from components.publish.component import publish
from components.report.component import report
from components.rung.component import rung
from components.validate.component import validate
from pipeline.recipe import Compression
from pipeline.stages import STAGES

_PARAMETERS: Mapping[str, Any] = {
    "context": str,
    "candidate_ids": List[str],  # noqa: UP006
    **{f"{stage.name}_config": str for stage in STAGES},
}
"""The pipeline's: name -> type, as KFP reads it in a signature."""


def build_dag(
    *,
    compressions: Sequence[Compression],
    search_rounds: int = 0,
    parallel_candidates: int = 2,
    place: Callable[[dsl.PipelineTask], object] = lambda task: None,
) -> BaseComponent:
    """Returns the KFP pipeline.

    Args:
      compressions: the compressed variants, each after its parent.
      search_rounds: how many rounds of trials a search has; 0 where there is none.
      parallel_candidates: how many candidates are made at once, or variants of a round.
      place: says of each task where it runs: its image, its machine.
    """

    def litesmith(*values: Any) -> None:
        given = dict(zip(_PARAMETERS, values, strict=True))
        dag = _Wiring(given, place)
        with dsl.ExitHandler(dag.add(notify)):
            dag.add(preprocess)
            checked = dag.add(validate)
            dag.add(finetune).after(checked)
            for variant_id, kinds in compressions:
                # Each one hands on the models before it and its own.
                made = dag.add(compress, variant_id=variant_id)
                made.set_display_name(f"{variant_id}: {', '.join(kinds)}")
                dag.offer(models=made.outputs["compressed"])
            if search_rounds:
                _add_search(dag, rounds=search_rounds, parallel=parallel_candidates)
            ids = dag["candidate_ids"]
            with dsl.ParallelFor(ids, parallelism=parallel_candidates) as candidate_id:
                made = dag.add(candidate, candidate_id=candidate_id)
            dag.offer(candidates=made.outputs["candidate"], evaluations=made.outputs["evaluation"])
            for component in (benchmark, gate, report, publish):
                dag.add(component)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    litesmith.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind, annotation=type_) for name, type_ in _PARAMETERS.items()]
    )
    return dsl.pipeline(
        name=_name(compressions, search_rounds),
        description="From a labelled data set to a blessed TFLite model.",
    )(litesmith)


def _name(compressions: Sequence[Compression], search_rounds: int) -> str:
    if search_rounds:
        return "litesmith-search"
    return "litesmith" if compressions else "litesmith-dense"


def _add_search(dag: "_Wiring", *, rounds: int, parallel: int) -> None:
    """Adds the rounds; what was made for the finalists is then offered to the tasks after."""
    proposed: Any = [DENSE]
    for _ in range(rounds + 1):
        with dsl.ParallelFor(proposed, parallelism=parallel) as variant_id:
            tried = dag.add(rung, variant_id=variant_id)
        dag.offer(trials=tried.outputs["trial"])
        told = dag.add(propose)
        dag.offer(models=told.outputs["ladder"])
        proposed = told.outputs["Output"]
    dag.offer(candidate_ids=proposed)


class _Wiring:
    """What inputs can be connected with, by the names that inputs have for it."""

    def __init__(
        self, parameters: Mapping[str, Any], place: Callable[[dsl.PipelineTask], object]
    ) -> None:
        self._there = dict(parameters)
        self._place = place

    def __getitem__(self, name: str) -> Any:
        return self._there[name]

    def add(self, component: BaseComponent, **given: Any) -> dsl.PipelineTask:
        """Makes a component's task, and offers its outputs to those that come after."""
        own = {"config": self._there.get(f"{component.name}_config"), **given}
        there = {**self._there, **own}
        # The compiler rewrites a Collected in place: each consumer needs its own.
        inputs = {
            name: dsl.Collected(there[name]) if spec.is_artifact_list else there[name]
            for name, spec in component.component_spec.inputs.items()
            if name in there
        }
        task = component(**inputs)
        self._place(task)
        self.offer(**task.outputs)
        # KFP's cache stays off: its key does not see the code that a component imports.
        return task.set_caching_options(False)

    def offer(self, **outputs: Any) -> None:
        """Lets inputs of these names be connected with outputs; those of a loop are collected."""
        self._there.update(outputs)
