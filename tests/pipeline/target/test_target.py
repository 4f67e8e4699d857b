"""Targets: what they may say, and that they bear no identity."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.common.documents.record import TaskResult
from components.common.errors import UserError
from components.common.run_context import RunContext
from components.validate import stage as validate
from pipeline.recipe import load_recipe
from pipeline.target import KubeflowTarget, Target, load_target, target_schema
from tests.builders.synthetic import write_dataset
from tests.builders.targets import MINIMAL, make_target, write_target

EXAMPLES = sorted(Path(__file__).parents[3].joinpath("docs", "targets").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(path: Path) -> None:
    assert load_target(str(path)).kind in ("kubeflow", "vertex")


def test_there_is_an_example_of_each_kind() -> None:
    assert {load_target(str(path)).kind for path in EXAMPLES} == {"kubeflow", "vertex"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nodes: 3", "nodes: there is no such key"),
        ("machine: {cpu: 2}", "machine.cpu: must be text: write it in quotes (got 2)"),
        ("machine: {memory: 4GB}", "machine.memory: "),
        ("stages: {training: {cpu: '2'}}", "stages.training"),
        ("auth: {kind: password}", "auth.kind: must be one of command, none, port_forward, "),
        ("stages: {evaluate: {cpu: '2'}}", "stages.evaluate: evaluate runs in the task candidate"),
        ("stages: {quantize: {}}", "stages.quantize: quantize runs in the task candidate; give"),
        ("auth: {kind: port_forward}", "host: a port-forward makes its own address"),
        ("data_root: /data", "data_root: /data is neither a gs:// address nor a path on"),
        ("host: kfp.example.com", "host: "),
        ("machine: {retries: {count: 99}}", "machine.retries.count: must be less than"),
        ("tls_verify: false", "tls_verify: there is no such key"),
        ("machine: {workers: 2}", "machine.workers: belongs to a stage: `stages: {finetune"),
        ("stages: {gate: {workers: 2}}", "stages.gate.workers: gate runs in one pod; finetune"),
        ("auth: {kind: token, varable: X}", "auth.varable: there is no such key; did you mean v"),
        ("beam: {options: [--parallelism=8]}", "beam: options: are a runner's; name it, as in"),
        ("beam: {runner: DirectRunner}", "beam.runner: must be 'FlinkRunner', 'SparkRunner', '"),
        ("kind: kubflow", "kind: must be one of kubeflow, vertex"),
        ("stages: {finetune: {worker: 2}}", "stages.finetune.worker: there is no such key; did "),
        ("stages: {finetune: {workers: 0}}", "stages.finetune.workers: must be greater than"),
        (
            "stages: {compress: {workers: 2}}",
            "service_account: is required where compress has `workers`",
        ),
        ("queue: gpus", "queue: is for `workers` of finetune or compress, and no stage has any"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: str, message: str) -> None:
    key = change.split(":")[0]
    kept = "\n".join(line for line in MINIMAL.splitlines() if not line.startswith(f"{key}:"))
    with pytest.raises(UserError, match="the target is refused") as error:
        load_target(write_target(tmp_path, f"{kept}\n{change}\n"))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "machine",
    ["accelerator: {type: google.com/tpu, count: 4}", "environment: {LITESMITH_DEVICES: tpu}"],
)
def test_workers_with_tpus_are_refused(tmp_path: Path, machine: str) -> None:
    text = MINIMAL + "service_account: runner\nstages: {finetune: {%s, " + machine + "}}\n"
    load_target(write_target(tmp_path, text % "workers: 1"))
    with pytest.raises(UserError, match="finetune.workers: on TPUs, .* slice of one host"):
        load_target(write_target(tmp_path, text % "workers: 2"))


def test_missing_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="images: is required"):
        load_target(write_target(tmp_path, MINIMAL.replace("images:", "labels:")))


def test_unknown_target_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "prod.yaml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load_target("prod").kind == "kubeflow"
    with pytest.raises(UserError, match=r"there: prod"):
        load_target("staging")


def test_vertex_refuses_what_it_has_not(tmp_path: Path) -> None:
    text = MINIMAL.replace("kind: kubeflow", "kind: vertex\nproject: p\nlocation: europe-west4")
    text = text.replace("host: https://kfp.example.com\nnamespace: vision\n", "")
    text += "pipeline_root: gs://bucket/root\n"
    assert load_target(write_target(tmp_path, text)).kind == "vertex"
    with pytest.raises(UserError, match="finetune: Vertex AI Pipelines has no shared_memory"):
        load_target(write_target(tmp_path, text + "stages: {finetune: {shared_memory: 1Gi}}\n"))
    with pytest.raises(UserError, match="finetune.workers: several workers are .* kind kubeflow"):
        load_target(write_target(tmp_path, text + "stages: {finetune: {workers: 2}}\n"))


def test_a_stage_changes_only_what_it_states(tmp_path: Path) -> None:
    target = make_target(
        tmp_path,
        machine={"cpu": "2", "memory": "4Gi", "environment": {"A": "1"}},
        stages={"finetune": {"memory": "16Gi", "environment": {"B": "2"}}},
    )
    machine = target.machine_of("finetune")
    assert (machine.cpu, machine.memory) == ("2", "16Gi")
    assert machine.environment == {"A": "1", "B": "2"}
    assert target.machine_of("gate").environment == {"A": "1"}


def test_the_schema_can_be_written() -> None:
    assert "kubeflow" in json.dumps(target_schema())


# --- locations ------------------------------------------------------------------------


def locate(target: Target, folder: str) -> str | None:
    overrides = [f"data.folder={folder}"]
    recipe = load_recipe("folder", overrides, locations="elsewhere")
    return target.located(recipe).data.folder


def test_a_source_s_path_is_mapped_as_a_folder_s(tmp_path: Path) -> None:
    stated = ["data={source: {kind: tfds, path: /home/ann/beans}}"]
    recipe = load_recipe("folder", stated, locations="elsewhere")
    with pytest.raises(UserError, match=r"data\.source\.path: /home/ann/beans is a path of this m"):
        make_target(tmp_path).located(recipe)
    source = make_target(tmp_path, paths={"/home/ann": "gs://home"}).located(recipe).data.source
    assert source is not None and (source.kind, source.path) == ("tfds", "gs://home/beans")


def test_paths_of_this_machine_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.folder: /home/ann/pictures is a path of this mach"):
        locate(make_target(tmp_path), "/home/ann/pictures")


def test_addresses_and_mounted_paths_stay(tmp_path: Path) -> None:
    target = make_target(tmp_path)
    assert locate(target, "gs://bucket/pictures") == "gs://bucket/pictures"
    assert locate(target, f"{tmp_path}/pictures") == f"{tmp_path}/pictures"


def test_a_path_is_mapped_by_its_longest_prefix(tmp_path: Path) -> None:
    paths = {"/home/ann": "gs://home", "/home/ann/pictures": "gs://pictures/all/"}
    target = make_target(tmp_path, paths=paths)
    assert locate(target, "/home/ann/pictures/cats") == "gs://pictures/all/cats"
    assert locate(target, "/home/ann/other") == "gs://home/other"
    assert locate(target, "/home/ann/pictures") == "gs://pictures/all"
    with pytest.raises(UserError):
        locate(target, "/home/annette")


def test_mapped_paths_are_relative_to_the_targets_file(tmp_path: Path) -> None:
    text = MINIMAL + "paths: {../pictures: gs://bucket/pictures}\n"
    (tmp_path / "targets").mkdir()
    target = load_target(write_target(tmp_path / "targets", text))
    assert locate(target, f"{tmp_path}/pictures/cats") == "gs://bucket/pictures/cats"


# --- identity -------------------------------------------------------------------------


def targets_that_differ(folder: Path) -> list[Target]:
    """Returns targets that differ in everything a target can say."""
    plain = make_target(folder / "a", paths={"/home/ann": "gs://bucket"})
    other = make_target(
        folder / "b",
        host="https://elsewhere.example.com",
        namespace="other",
        images={"beam": "x", "train": "y", "lite": "z"},
        pipeline_root="s3://root",
        service_account="runner",
        machine={"cpu": "8", "memory": "32Gi", "accelerator": {"type": "nvidia.com/gpu"}},
        stages={"finetune": {"workers": 8}, "compress": {"workers": 2}},
        queue="gpus",
        beam={"runner": "FlinkRunner", "options": ("--parallelism=8",)},
        labels={"team": "b"},
        paths={"/home/ann": "gs://other-bucket/elsewhere"},
    )
    vertex = next(load_target(str(path)) for path in EXAMPLES if path.stem == "vertex")
    return [plain, other, vertex.model_copy(update={"paths": {"/home/ann": "gs://third"}})]


def test_target_bears_no_identity(tmp_path: Path) -> None:
    """Every stage's identity, which its key is taken of, is the same for any target."""
    overrides = ["data.folder=/home/ann/pictures"]
    recipe = load_recipe("folder", overrides, locations="elsewhere")
    identities = [
        {
            stage: config.identity()
            for stage, config in target.located(recipe).stage_configs().items()
        }
        for target in targets_that_differ(tmp_path)
    ]
    for identity in identities:
        identity.pop(
            "report"
        )  # Shows the recipe with its locations; never answered from the store.
    assert identities[0] == identities[1] == identities[2]


def test_target_changes_no_key(tmp_path: Path) -> None:
    """The same stage, run under two targets, computes the same key."""
    keys = set()
    for number, target in enumerate(targets_that_differ(tmp_path)[:2]):
        assert isinstance(target, KubeflowTarget)
        recipe = load_recipe("digits")
        context = target.context(f"run-{number}", recipe)
        keys.add(run_validate(tmp_path / str(number), context, recipe.stage_configs()["validate"]))
    assert len(keys) == 1


def run_validate(folder: Path, context: RunContext, config: Any) -> str:
    """Runs validate on drawn shapes and returns the key that it computed."""
    write_dataset(context, folder / "dataset")
    validate.STAGE.run(
        dataset=folder / "dataset",
        config=config.model_copy(update={"min_test_examples": 10}).to_json(),
        context=context.to_json(),
        validation=folder / "validation",
    )
    name = f"{context.run_folder()}/tasks/validate.json"
    result = TaskResult.parse(context.data().read(name))
    assert result.record is not None
    return result.record.key


def test_what_tasks_must_know_travels_in_the_context(tmp_path: Path) -> None:
    plain, flink, _ = targets_that_differ(tmp_path)
    recipe = load_recipe("digits")
    assert plain.context("r", recipe).beam_options == ()
    assert flink.context("r", recipe).beam_options == ("--runner=FlinkRunner", "--parallelism=8")
    prism = make_target(
        tmp_path, beam={"runner": "PrismRunner", "options": ("--prism_location=/opt/prism",)}
    )
    assert prism.context("r", recipe).beam_options == (
        "--runner=PrismRunner",
        "--prism_location=/opt/prism",
    )


def test_a_window_of_the_data_is_filled_into_locations(tmp_path: Path) -> None:
    context = make_target(tmp_path).context(
        "r", load_recipe("digits"), window_days=7, window_end="2026-03-03"
    )
    located = context.located("gs://b/{window_start}/{window_end}.csv")
    assert located == "gs://b/2026-02-25/2026-03-03.csv"
    assert RunContext.located(context.model_copy(update={"window_days": 0}), "{x}") == "{x}"
