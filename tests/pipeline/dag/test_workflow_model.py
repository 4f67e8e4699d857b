"""How large a run grows on a cluster, by a model of what Argo makes of the compiled DAG."""

import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.recipe import load_recipe
from pipeline.recipe.parameters import MOST_BYTES, run_parameters, size_bytes
from pipeline.target import load_target
from tests.builders.targets import PRUNED
from tests.fakes.workflow_model import Node, executor_inputs, nodes_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from pipeline.dag.compile import compile_dag

TARGET = Path(__file__).parents[3] / "docs" / "targets" / "volume.yaml"


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    text = compile_dag(compressions=PRUNED, target=load_target(str(TARGET))).yaml
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def nodes(documents: list[dict[str, Any]], candidates: int, **options: bool) -> list[Node]:
    recipe, target = load_recipe("digits"), load_target(str(TARGET))
    parameters = run_parameters(recipe, target.context("20260102-030405-0a1b2c", recipe))
    parameters["candidate_ids"] = ["pruned-int8"] * candidates
    pipeline, platforms = documents
    executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return nodes_of(pipeline, executors, parameters, **options)


@pytest.mark.parametrize(
    ("candidates", "count", "megabytes"), [(3, 107, 0.95), (6, 143, 1.31), (20, 311, 3.00)]
)
def test_nodes_and_their_bytes_are_bounded(
    documents: list[dict[str, Any]], candidates: int, count: int, megabytes: float
) -> None:
    """KFP shows no more of a run above 1 MB: docs/cluster.md has these figures."""
    made = nodes(documents, candidates)
    assert len(made) == count
    assert sum(node.size_bytes for node in made) / 1e6 < megabytes


@pytest.mark.parametrize(
    ("candidates", "count", "megabytes"), [(3, 66, 0.60), (6, 87, 0.83), (20, 185, 1.90)]
)
def test_an_installation_without_a_retry_strategy_makes_half_of_it(
    documents: list[dict[str, Any]], candidates: int, count: int, megabytes: float
) -> None:
    made = nodes(documents, candidates, stock_retries=False)
    assert len(made) == count
    assert sum(node.size_bytes for node in made) / 1e6 < megabytes


def test_with_the_most_parameters_a_task_is_still_started_and_the_workflow_stored(
    documents: list[dict[str, Any]],
) -> None:
    """A task is given all of its input in one argument, of which Linux takes 128 KiB."""
    recipe, target = load_recipe("digits"), load_target(str(TARGET))
    context = target.context("20260102-030405-0a1b2c", recipe)
    left = MOST_BYTES - size_bytes(run_parameters(recipe, context))
    recipe = recipe.model_copy(update={"description": "x" * (left // 2 - 100)})
    parameters = run_parameters(recipe, context) | {"candidate_ids": ["pruned-int8"] * 20}
    pipeline, platforms = documents
    inputs = executor_inputs(pipeline, parameters)
    assert len(json.dumps(inputs["report"])) > 60_000
    runtime = {"parameterValues": parameters, "gcsOutputDirectory": "gs://bucket/" + "x" * 1024}
    for given in [runtime, *inputs.values()]:
        subprocess.run(["true", json.dumps(given)], check=True)
    assert len(json.dumps([parameters, pipeline, platforms])) < 1 << 20
