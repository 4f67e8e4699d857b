"""The table of stages: whoever knows of stages knows the table's, and no others."""

import ast
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from components import launched_worker
from components.common.workers.jobset import COMMAND
from components.finetune.config import FinetuneConfig, TextFinetuneConfig
from pipeline.recipe import Recipe, load_recipe, shipped_recipes
from pipeline.stages import (
    CANDIDATE_STAGES,
    RUNG,
    STAGES,
    TASKS,
    TRAINING_STAGES,
    ends_task,
    place_of,
    task_of,
)
from pipeline.target import target_schema
from pipeline.terminal.progress import expected_tasks
from tests.builders.targets import make_target

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from kfp.dsl.base_component import BaseComponent

    from pipeline.dag import dag
    from pipeline.dag.compile import compile_dag

ROOT = Path(__file__).parents[3]
BESIDE = ("common", "tools")
"""What is no stage: what they share, and the commands that stand alone."""
NAMES = [stage.name for stage in STAGES]
COMPONENTS = {each.name: each for each in vars(dag).values() if isinstance(each, BaseComponent)}


def recipe(name: str) -> Recipe:
    return load_recipe(name, locations="open")


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_configures_every_stage(name: str) -> None:
    own = recipe(name)
    assert {stage: type(config) for stage, config in own.stage_configs().items()} == {
        **{stage.name: stage.config for stage in STAGES},
        # Each task trains by its own settings.
        "finetune": {"image": FinetuneConfig, "text": TextFinetuneConfig}[own.task],
    }


def test_what_a_recipe_says_of_a_stage_reaches_it() -> None:
    stated, configs = recipe("digits").stated(), recipe("digits").stage_configs()
    sections = {
        (Recipe.model_fields[stage.section].alias or stage.section): stage.name
        for stage in STAGES
        if stage.section is not None
    }
    assert stated.keys() - sections.keys() == {"name", "description", "task", "prune", "compress"}
    for section, stage in sections.items():
        told = configs[stage].model_dump(mode="json")
        raised = {key for key in told if stage == "validate" and key.startswith("min_")}
        kept = {key: value for key, value in stated[section].items() if key not in raised}
        assert kept == {key: told[key] for key in kept}, stage


@pytest.mark.parametrize("name", shipped_recipes())
def test_progress_has_every_stage_in_order(name: str) -> None:
    expected = list(expected_tasks(recipe(name)))
    stages = [task.partition("[")[0] for task in expected]
    assert list(dict.fromkeys(stages)) == [
        stage.name for stage in STAGES if recipe(name).tasks_of(stage)
    ]
    assert sorted(stages, key=lambda stage: place_of(stage)[0]) == stages
    compressed = [f"compress[{each.variant_id}]" for each in recipe(name).compressions()]
    ids = recipe(name).candidate_ids()
    assert [task for task in expected if "[" in task] == [
        *compressed,
        *(f"{stage}[{id_}]" for id_ in ids for stage in CANDIDATE_STAGES),
    ]


def test_a_recipe_that_compresses_nothing_has_no_task_for_it() -> None:
    whole = recipe("digits")
    without = whole.model_copy(update={"prune": None})
    lost = {stage.name for stage in STAGES if not without.tasks_of(stage)}
    assert lost == {"compress", "propose"}
    assert "compress[pruned]" in {*expected_tasks(whole)} - {*expected_tasks(without)}


def test_stages_and_tasks_sort_as_the_dag_runs_them() -> None:
    assert sorted(reversed(NAMES), key=place_of) == NAMES
    assert sorted(reversed(TASKS), key=place_of) == list(TASKS)
    assert max([*TASKS, "preprocess-driver"], key=place_of) == "preprocess-driver"
    assert [task_of(stage) for stage in CANDIDATE_STAGES] == ["candidate"] * len(CANDIDATE_STAGES)
    assert [stage for stage in NAMES if not ends_task(stage)] == ["quantize"]
    assert ends_task("no-stage")


def test_the_dag_has_a_task_for_every_stage(tmp_path: Path) -> None:
    """What the recipes of the two shapes have together: declared variants, and a search."""
    executors = set()
    for compressions, rounds in ((recipe("digits").compressions(), 0), ((), 1)):
        text = compile_dag(
            compressions=compressions, search_rounds=rounds, target=make_target(tmp_path)
        ).yaml
        pipeline: Any = next(yaml.load_all(text, Loader=yaml.CSafeLoader))
        labels = pipeline["deploymentSpec"]["executors"]
        executors |= {label.removeprefix("exec-").rstrip("-2") for label in labels}
    assert executors == COMPONENTS.keys() == set(TASKS)


def test_a_target_may_name_every_task_and_nothing_else() -> None:
    named = [
        definition["properties"]["stages"]["propertyNames"]["enum"]
        for definition in target_schema()["$defs"].values()
        if "stages" in definition.get("properties", {})
    ]
    assert named == [list(TASKS)] * 2


def test_every_stage_that_trains_can_be_launched() -> None:
    assert tuple(launched_worker.TRAINING) == TRAINING_STAGES
    assert COMMAND[-1] == launched_worker.__name__


def test_the_stages_are_the_packages_that_are_kept_apart() -> None:
    folders = [path.parent.name for path in ROOT.glob("components/*/__init__.py")]
    assert set(folders) - {"common", "candidate", RUNG} == {*NAMES, "tools"}
    text = (ROOT / "pyproject.toml").read_text()
    linter = tomllib.loads(text)["tool"]["importlinter"]
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    (layers,) = (c["layers"] for c in contracts.values() if c.get("containers") == ["components"])
    assert set(layers[1].split(" | ")) == {*NAMES, "tools"}
    cores = contracts["Cores work on what they are given, not on storage"]["source_modules"]
    assert set(cores) == {f"components.{name}" for name in [*NAMES, "tools"]}
    kept_out = contracts["candidate composes quantize and evaluate"]["forbidden_modules"]
    others = {stage.name for stage in STAGES if stage.task != "candidate"}
    assert set(kept_out) == {f"components.{name}" for name in others}
    kept_out = contracts["rung composes compress, quantize and evaluate"]["forbidden_modules"]
    assert set(kept_out) == {f"components.{name}" for name in others - {"compress"}} | {
        "components.propose"
    }


def test_the_pipeline_sees_of_a_component_its_contract_and_configuration() -> None:
    graph = grimp.build_graph("pipeline", "components", cache_dir=None)
    seen = {
        imported.split(".", 2)[2]
        for module in graph.find_descendants("pipeline")
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.split(".")[0] == "components" and imported.split(".")[1] not in BESIDE
    }
    # A recipe states the settings of a compression step, which are in the step's module.
    assert {name for name in seen if name.split(".")[0] != "steps"} == {"component", "config"}


# --- inputs -------------------------------------------------------------------------------


def inputs_read(stage: str) -> Iterator[str]:
    """Yields the names under which the modules of a stage look inputs up."""
    for path in ROOT.glob(f"components/{stage}/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Subscript(
                    value=ast.Attribute(attr="inputs") | ast.Name(id="inputs"),
                    slice=ast.Constant(value=str(name)),
                ):
                    yield name


# These are prepared by a `run` of the stage's own, whose signature is the component's.
PREPARED = ("compress", "propose", RUNG, "candidate", "notify")


@pytest.mark.parametrize("task", [task for task in TASKS if task not in PREPARED])
def test_a_stage_reads_the_inputs_that_its_component_takes(task: str) -> None:
    inputs = COMPONENTS[task].component_spec.inputs
    assert set(inputs_read(task)) == {*inputs} - {"config", "context"}
