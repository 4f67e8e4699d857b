"""A run's parameters: they reach the stages as they were written, or are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from components.common.errors import UserError
from components.common.run_context import RunContext
from components.publish.config import PublishConfig
from pipeline.recipe import load_recipe
from pipeline.recipe.parameters import MOST_BYTES, run_parameters, size_bytes
from pipeline.runs.folders import create_run
from pipeline.target import load_target
from tests.builders.targets import MINIMAL, write_target

CONTEXT = RunContext(run_id="r", recipe_name="digits", data_root="/d", registry="/r")
AWKWARD = "é 漢字 \u2028 <b> & \\\\ \\n ' \" $5 ${x} {x} }} %s\n\ttab null 1e5 'pipelinechannel--x'"


def through_kfp_local(parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns what kfp.local gives a task that takes these parameters."""
    from kfp.local import placeholder_utils

    _, text = placeholder_utils.replace_placeholders(
        ["--executor_input", "{{$}}"],
        {"inputs": {"parameterValues": dict(parameters)}, "outputs": {"outputFile": "/o"}},
        *("resource",) * 4,
    )
    values: dict[str, Any] = json.loads(text)["inputs"]["parameterValues"]
    return values


def test_parameters_survive_kfp() -> None:
    """The API takes protocol buffers' Struct, where numbers turn into floats: there are none."""
    recipe = load_recipe("digits").model_copy(update={"description": AWKWARD})
    parameters = run_parameters(recipe, CONTEXT)
    assert parameters["candidate_ids"] == list(recipe.candidate_ids())
    sent = json_format.ParseDict(parameters, struct_pb2.Struct())
    received = json.loads(json_format.MessageToJson(sent))
    assert received == parameters
    assert through_kfp_local(received) == parameters
    assert PublishConfig.from_json(received["publish_config"]).description == AWKWARD
    assert RunContext.model_validate_json(received["context"]) == CONTEXT


def test_kfp_would_replace_a_placeholder() -> None:
    values = {"config": "{{$.inputs.parameters['context']}}", "context": CONTEXT.to_json()}
    assert through_kfp_local(values)["config"] == CONTEXT.to_json()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("description='as {{$.inputs}}'", ["description: holds {{, which KFP", 'got "as {{$']),
        ("description='by {{workflow.name}}'", ["description: holds {{", "write it differently"]),
        ("notify.webhook_variable=$(TOKEN)", ["notify.webhook_variable: holds $("]),
        ("data.list=costs$$.csv", ["data.list: holds $$, which Kubernetes takes for a single $"]),
        ("data.folder=/kfp-workspace/a", ["data.folder: holds /kfp-workspace, which KFP takes"]),
        ("prune.keep_dense=[conv, '{{x}}']", ["prune.keep_dense.1: holds {{", 'got "{{x}}"']),
        ("prune={'{{x}}': 1}", ['prune."{{x}}": holds {{']),
    ],
)
def test_a_recipe_that_would_be_changed_on_the_way_is_refused(
    override: str, words: list[str]
) -> None:
    with pytest.raises(UserError) as refused:
        load_recipe("digits", [override], locations="open")
    for word in (f"digits --set {override}: ", *words):
        assert word in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        "data_root: gs://bucket/{{workflow.name}}",
        "registry: gs://bucket/$(HOME)",
        "pipeline_root: gs://bucket/{{x}}",
        "beam: {runner: FlinkRunner, options: [--name=$$]}",
        "paths: {../pictures: 'gs://bucket/{{x}}'}",
    ],
)
def test_a_target_whose_texts_would_be_changed_is_refused(tmp_path: Path, change: str) -> None:
    key = change.partition(":")[0]
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(f"{key}:")]
    path = write_target(tmp_path, "\n".join([*lines, change, ""]))
    with pytest.raises(UserError, match=rf"target.yaml: {key}.*: holds .*; write it differently"):
        load_target(path)


def test_a_command_for_a_token_may_hold_what_it_likes(tmp_path: Path) -> None:
    command = "[sh, -c, 'echo $(kubectl get secret t -o go-template={{.data.token}}) $$']"
    change = f"auth: {{kind: command, command: {command}}}\n"
    assert load_target(write_target(tmp_path, MINIMAL + change)).kind == "kubeflow"


def test_a_local_run_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    recipe, registry = load_recipe("digits"), str(tmp_path / "registry")
    with pytest.raises(UserError, match=r"--data-root: holds \$\("):
        create_run(recipe, command=(), data_root=str(tmp_path / "$(HOME)"), registry=registry)
    long = recipe.model_copy(update={"description": "x" * MOST_BYTES})
    with pytest.raises(UserError, match="the longest text is description, with 98,304 bytes"):
        create_run(long, command=(), data_root=str(tmp_path / "data"), registry=registry)
    assert not list(tmp_path.iterdir())


def test_the_longest_text_is_named_be_it_a_list_or_in_the_context() -> None:
    recipe = load_recipe("digits")
    assert recipe.prune is not None
    dense = recipe.prune.model_copy(
        update={"keep_dense": tuple(f"{n}{'_' * 999}" for n in range(99))}
    )
    with pytest.raises(UserError, match="the longest text is prune.keep_dense, with"):
        run_parameters(recipe.model_copy(update={"prune": dense}), CONTEXT)
    options = tuple(f"--option={n}" for n in range(9999))
    with pytest.raises(UserError, match="the longest text is run.beam_options, with"):
        run_parameters(recipe, CONTEXT.model_copy(update={"beam_options": options}))


def test_what_is_just_short_enough_goes_through() -> None:
    recipe = load_recipe("digits")
    left = MOST_BYTES - size_bytes(run_parameters(recipe, CONTEXT))
    # A description goes to publish, and with the whole recipe to the report.
    described = recipe.model_copy(update={"description": "x" * (left // 2 - 100)})
    assert run_parameters(described, CONTEXT)
    # Go writes a < in six characters.
    with pytest.raises(UserError, match="the longest text is description"):
        run_parameters(recipe.model_copy(update={"description": "<" * (left // 4)}), CONTEXT)
