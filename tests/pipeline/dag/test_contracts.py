"""The components' contracts under a real KFP: every component run through KFP's own executor.

`executor_inputs.json` is what the driver of KFP 2.17.0 gave each task of a run, with shortened
addresses and without the texts of configurations; what quantize and evaluate were given, when
these were tasks of their own, is put together as candidate's; that of propose and rung is made of
the gate's and candidate's. kfp.local is kinder: it states each
artifact's type and a name that says something, where the driver gives the number of its
metadata store, and no type or an empty one. What runs here is the command of the compiled DAG.
"""

import copy
import inspect
import json
import os
import subprocess
import sys
import typing
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ConfigDict, TypeAdapter

from components.common.documents.outcome import Outcome
from components.common.shell.stage import Stage
from components.compress import stage as compress
from components.evaluate import stage as evaluate
from components.finetune import stage as finetune
from components.notify import stage as notify
from components.propose import stage as propose
from components.quantize import stage as quantize
from components.rung import stage as rung
from pipeline.recipe import load_recipe
from pipeline.recipe.parameters import run_parameters
from pipeline.stages import CANDIDATE_STAGES
from tests.builders.targets import PRUNED, make_target

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from kfp.dsl import executor_main
    from kfp.dsl.types import artifact_types

    from pipeline.dag.compile import compile_dag

Json = dict[str, Any]
RECORDED: Json = json.loads(Path(__file__).with_name("executor_inputs.json").read_text())
BUCKET = "minio://"
LOGGED = ("metrics", "confusion")
"""Outputs that a stage is given as artifacts, to log to; of all others it gets the path."""
COLLECTED = {"propose": "trials"}
"""A component's input that a loop makes, where it is not `candidates`."""
TYPES: Mapping[str, Json] = {
    "unstated": {},
    "empty": {"type": {"instanceSchema": ""}},
    "stated": {"type": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}},
}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The compiled pipeline, with every component that there is."""
    target = make_target(tmp_path_factory.mktemp("target"))
    declared = load_pipeline(compile_dag(compressions=PRUNED, target=target).yaml)
    searched = load_pipeline(compile_dag(compressions=(), search_rounds=1, target=target).yaml)
    # What a search has besides: one of its tasks of a kind stands for the others.
    for name in ("propose", "rung"):
        executors = declared["deploymentSpec"]["executors"]
        executors[f"exec-{name}"] = searched["deploymentSpec"]["executors"][f"exec-{name}"]
        declared["components"][f"comp-{name}"] = searched["components"][f"comp-{name}"]
    return declared


def load_pipeline(text: str) -> Json:
    pipeline: Json = next(yaml.load_all(text, Loader=yaml.CSafeLoader))
    return pipeline


def recorded(component: str, folder: Path) -> Json:
    """Returns what the driver gave, with the values of a recipe as it is now."""
    given: Json = copy.deepcopy(RECORDED[component])
    recipe = load_recipe("digits", tiny=True)
    parameters = run_parameters(recipe, make_target(folder).context("run-1", recipe))
    values = given["inputs"]["parameterValues"]
    for name in values.keys() & {"config", "context", "quantize_config", "evaluate_config"}:
        values[name] = parameters[f"{component}_config" if name == "config" else name]
    given["outputs"]["outputFile"] = f"{folder}{given['outputs']['outputFile']}"
    return given


def arguments_of(spec: Json, component: str, given: Json) -> list[str]:
    """Returns the command line that KFP's launcher would start, without the shell's own part."""
    container = spec["deploymentSpec"]["executors"][f"exec-{component}"]["container"]
    text = json.dumps(given)
    arguments = [argument.replace("{{$}}", text) for argument in container["args"]]
    return [*container["command"], *arguments]


def record(seen: Json, run: Any, config_name: str, /, *stage: Stage, **arguments: Any) -> list[str]:
    """Notes what a stage is given, of which its own name and type must be; runs nothing.

    Returns:
      What propose must, which alone returns anything.
    """
    hints = typing.get_type_hints(run)
    inspect.signature(run).bind(*stage, **arguments)
    for name, value in arguments.items():
        hint = hints[name if name in hints else "paths"]
        check = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        value = check.validate_python(value, strict=True)
        name = config_name if name == "config" else name
        assert seen.setdefault(name, value) == value, "two stages of a task are given two things"
    return ["prune80-brief"]


@pytest.fixture
def execute(tmp_path: Path, spec: Json, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a component as in its container, up to its stages; returns what these were given."""
    monkeypatch.setenv("_KFP_RUNTIME", "true")
    monkeypatch.setattr(artifact_types, "_MINIO_LOCAL_MOUNT_PREFIX", f"{tmp_path}/minio/")

    def run(component: str, given: Json) -> Json:
        seen: Json = {}
        real = Stage.run

        def record_stage(stage: Stage[Any], **arguments: Any) -> None:
            assert stage.name == component and stage.output in arguments
            record(seen, real, "config", stage, **arguments)

        monkeypatch.setattr(Stage, "run", record_stage)
        for module, own in (
            (finetune, "config"),
            (compress, "config"),
            (propose, "config"),
            (rung, "config"),
            (notify, "config"),
            (quantize, "quantize_config"),
            (evaluate, "evaluate_config"),
        ):
            monkeypatch.setattr(module, "run", partial(record, seen, module.run, own))
        # `sh -ec PROGRAM SOURCE ARGUMENTS`: the program writes the source and starts the executor.
        _, _, _, source, *arguments = arguments_of(spec, component, given)
        path = tmp_path / "ephemeral_component.py"
        path.write_text(source)
        words = ["executor_main", "--component_module_path", str(path), *arguments]
        monkeypatch.setattr(sys, "argv", words)
        executor_main.executor_main()
        return seen

    return run


def expected(spec: Json, component: str, given: Json, folder: Path) -> Iterator[tuple[str, Any]]:
    """Yields what the stage must be given, by name: paths, or None for what was not."""

    def path(artifact: Json) -> Path:
        return folder / "minio" / artifact["uri"].removeprefix(BUCKET)

    definitions = spec["components"][f"comp-{component}"]["inputDefinitions"]
    for name, definition in definitions.get("artifacts", {}).items():
        artifacts = given["inputs"]["artifacts"].get(name, {}).get("artifacts", [])
        paths = tuple(path(artifact) for artifact in artifacts)
        if definition.get("isArtifactList"):
            yield name, paths
        else:
            yield name, paths[0] if paths else None
    for name in definitions["parameters"].keys() - {"status"}:
        yield name, given["inputs"]["parameterValues"][name]
    for name, artifacts in given["outputs"]["artifacts"].items():
        if name not in (*LOGGED, "executor-logs"):
            yield name, path(artifacts["artifacts"][0])


def artifacts_of(given: Json) -> Iterator[Json]:
    for artifacts in given["inputs"].get("artifacts", {}).values():
        yield from artifacts["artifacts"]


def test_what_was_recorded_is_what_the_components_take(spec: Json) -> None:
    for component, given in RECORDED.items():
        compiled = spec["components"][f"comp-{component}"]
        for kind, values in (("artifacts", "artifacts"), ("parameters", "parameterValues")):
            wanted = compiled["inputDefinitions"].get(kind, {}).keys()
            assert given["inputs"].get(values, {}).keys() == wanted, component
        outputs = compiled.get("outputDefinitions", {}).get("artifacts", {}).keys()
        assert given["outputs"]["artifacts"].keys() == outputs | {"executor-logs"}, component
    executors = {name.removeprefix("exec-") for name in spec["deploymentSpec"]["executors"]}
    assert RECORDED.keys() == executors


@pytest.mark.parametrize("component", RECORDED)
def test_a_stage_gets_what_the_driver_gave(
    component: str, spec: Json, execute: Any, tmp_path: Path
) -> None:
    given = recorded(component, tmp_path)
    seen = execute(component, given)
    if component == "notify":
        status = {name: seen.pop(name) for name in ("state", "failed_task", "error")}
        assert status == {"state": "COMPLETE", "failed_task": "exit-handler-1", "error": ""}
    if component == "candidate":
        assert isinstance(seen.pop("scratch"), Path)
    logged = {name: seen.pop(name) for name in LOGGED if name in seen}
    assert seen == dict(expected(spec, component, given, tmp_path))
    for name, artifact in logged.items():
        assert artifact.uri == given["outputs"]["artifacts"][name]["artifacts"][0]["uri"]


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("component", [name for name in RECORDED if name != "notify"])
def test_the_types_of_artifacts_may_be_unstated(
    component: str, types: str, spec: Json, execute: Any, tmp_path: Path
) -> None:
    given = recorded(component, tmp_path)
    for artifact in artifacts_of(given):
        artifact.pop("type", None)
        artifact.update(TYPES[types])
    seen = execute(component, given)
    assert dict(expected(spec, component, given, tmp_path)).items() <= seen.items()


@pytest.mark.parametrize("component", ["benchmark", "gate", "report", "publish", "propose"])
def test_what_is_collected_comes_in_the_drivers_order(
    component: str, spec: Json, execute: Any, tmp_path: Path
) -> None:
    given, collected = recorded(component, tmp_path), COLLECTED.get(component, "candidates")
    given["inputs"]["artifacts"][collected]["artifacts"].reverse()
    seen = execute(component, given)
    assert seen[collected] == dict(expected(spec, component, given, tmp_path))[collected]


@pytest.mark.parametrize("error", [{}, {"message": "exit-handler-1: pod deleted"}])
def test_notify_gets_what_the_driver_knows_of_a_failure(
    error: Json, execute: Any, tmp_path: Path
) -> None:
    given = recorded("notify", tmp_path)
    status = given["inputs"]["parameterValues"]["status"]
    status |= {"state": "FAILED", "error": error}
    seen = execute("notify", given)
    assert (seen["state"], seen["error"]) == ("FAILED", error.get("message", ""))


def on_disk(given: Json, folder: Path) -> Json:
    """Returns an input whose addresses are paths, for a process with KFP's own idea of `/minio`."""
    moved: Json = json.loads(json.dumps(given).replace(BUCKET, f"{folder}/minio/"))
    return moved


def launch(spec: Json, component: str, given: Json) -> None:
    """Runs a component's whole command, as its container does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        arguments_of(spec, component, given),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_the_containers_whole_command_runs_the_real_stage(spec: Json, tmp_path: Path) -> None:
    given = on_disk(recorded("notify", tmp_path), tmp_path)
    launch(spec, "notify", given)
    outcome = Outcome.read(tmp_path / "data" / "runs" / "run-1")
    assert (outcome.run_id, outcome.state) == ("run-1", "succeeded")
    assert (
        "executor-logs" in json.loads(Path(given["outputs"]["outputFile"]).read_text())["artifacts"]
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_on_what_the_driver_gave_ends_in_a_verdict(spec: Json, tmp_path: Path) -> None:
    """Every command of the DAG with its real stages, one after the other, on the tiny digits."""

    def run(component: str, **changes: str) -> Json:
        """Runs one; changes: texts of the recorded input, and what takes their place."""
        text = json.dumps(on_disk(recorded(component, tmp_path), tmp_path))
        for before, after in changes.items():
            text = text.replace(before, after)
        given: Json = json.loads(text)
        launch(spec, component, given)
        output: Json = json.loads(Path(given["outputs"]["outputFile"]).read_text())
        return output["artifacts"]

    for component in ("preprocess", "validate", "finetune", "compress"):
        run(component)
    ids = load_recipe("digits", tiny=True).candidate_ids()
    recorded_id = RECORDED["candidate"]["inputs"]["parameterValues"]["candidate_id"]
    addresses = RECORDED["gate"]["inputs"]["artifacts"]["candidates"]["artifacts"]
    tasks = [artifact["uri"].split("/")[-2] for artifact in addresses]
    for id_, task in zip(ids, tasks, strict=True):
        logged = run("candidate", **{f'"{recorded_id}"': f'"{id_}"', tasks[-1]: task})
        assert logged["metrics"]["artifacts"][0]["metadata"]["accuracy"] > 0.3
        assert "confusionMatrix" in logged["confusion"]["artifacts"][0]["metadata"]
    for component in ("benchmark", "gate", "report", "publish", "notify"):
        run(component)

    folder = tmp_path / "data" / "runs" / "run-1"
    outcome = Outcome.read(folder)
    assert (outcome.state, outcome.failed_task) == ("succeeded", None)
    assert outcome.verdict in ("blessed", "not_blessed")
    results = {path.stem for path in (folder / "tasks").iterdir()}
    assert {f"{stage}[{id_}]" for stage in CANDIDATE_STAGES for id_ in ids} <= results
