"""The compiled DAG: deterministic, golden, and with everything a target says of it.

After a wanted change, `python -m tests.pipeline.dag.test_compile` writes the golden files anew.
"""

import ast
import inspect
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.workers.jobset import WorkerPods, build_jobset
from pipeline.recipe import Compression, load_recipe
from pipeline.recipe.parameters import run_parameters
from pipeline.target import Target, Volume, load_target
from tests.builders.targets import PRUNED, make_target
from tests.fakes.kubernetes_server import check_jobset

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from pipeline.dag.compile import WORKFLOW_ID, compile_dag

GOLDEN = Path(__file__).with_name("golden")
EXAMPLES = Path(__file__).parents[3] / "docs" / "targets"
SHAPES: dict[str, dict[str, Any]] = {
    "pruned": {"compressions": PRUNED},
    "dense": {"compressions": ()},
    "search": {"compressions": (), "search_rounds": 2},
}
CASES = [
    ("kubeflow", "pruned"),
    ("volume", "dense"),
    ("volume", "search"),
    ("vertex", "pruned"),
    ("workers", "pruned"),
]
STAGES = {
    "preprocess": "beam",
    "validate": "lite",
    "finetune": "train",
    "compress": "train",
    "candidate": "train",
    "benchmark": "lite",
    "gate": "lite",
    "report": "lite",
    "publish": "lite",
    "notify": "lite",
}


def golden_case(name: str, *, shape: str) -> tuple[Path, str]:
    target = load_target(str(EXAMPLES / f"{name}.yaml"))
    return GOLDEN / f"{name}-{shape}.yaml", compile_dag(**SHAPES[shape], target=target).yaml


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_compiled_pipeline_is_the_golden_one(name: str, shape: str) -> None:
    path, text = golden_case(name, shape=shape)
    assert text == path.read_text(), "is it a wanted change? See this module's docstring"


def compiled(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the pipeline, and what Kubernetes is told of each executor."""
    text = compile_dag(compressions=PRUNED, target=target).yaml
    documents = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    if len(documents) == 1:
        return documents[0], {}
    return documents[0], documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The pipeline for a target that states nothing but what it must."""
    return compiled(make_target(tmp_path_factory.mktemp("plain")))[0]


def tasks_of(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns every task of the pipeline by its name, in whichever loop it stands."""
    dags = [spec["root"], *spec["components"].values()]
    return {n: t for dag in dags for n, t in dag.get("dag", {}).get("tasks", {}).items()}


def container_of(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    container: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{stage}"]["container"]
    return container


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from keys_of(inner)


@pytest.mark.parametrize("stage", STAGES)
def test_what_only_people_read_is_not_compiled(stage: str, plain: dict[str, Any]) -> None:
    """Argo keeps these texts in every node; the code itself is the component's own."""
    assert "description" not in keys_of(plain["components"][f"comp-{stage}"])
    component = getattr(import_module(f"components.{stage}.component"), stage)
    assert component.component_spec.description
    (function,) = (
        each
        for each in ast.parse(inspect.getsource(component.python_func)).body
        if isinstance(each, ast.FunctionDef)
    )
    function.decorator_list.clear()
    assert ast.get_docstring(function)
    del function.body[0]
    source = ast.parse(container_of(plain, stage)["command"][3]).body[-1]
    assert ast.dump(source) == ast.dump(function)


def test_every_stage_has_its_image(plain: dict[str, Any]) -> None:
    images = {stage: container_of(plain, stage)["image"] for stage in STAGES}
    assert images == {stage: f"127.0.0.1:1/{image}:1" for stage, image in STAGES.items()}


def test_no_task_is_cached_by_kfp(plain: dict[str, Any]) -> None:
    cached = [t["cachingOptions"] for n, t in tasks_of(plain).items() if n in STAGES]
    assert cached == [{}] * len(STAGES)


def test_no_task_runs_as_root(tmp_path: Path) -> None:
    _, pods = compiled(make_target(tmp_path, run_as_user=1000))
    contexts = [pods[f"exec-{stage}"]["securityContext"] for stage in STAGES]
    assert contexts == [{"runAsNonRoot": True, "runAsUser": "1000", "runAsGroup": "1000"}] * len(
        STAGES
    )


def test_requests_limits_and_accelerators(tmp_path: Path) -> None:
    gpu = {"cpu": "7", "cpu_limit": "8", "memory": "24Gi"}
    gpu |= {"accelerator": {"type": "nvidia.com/gpu", "count": 2}}
    spec, _ = compiled(make_target(tmp_path, stages={"finetune": gpu}))
    resources = container_of(spec, "finetune")["resources"]
    assert (resources["resourceCpuRequest"], resources["resourceCpuLimit"]) == ("7", "8")
    assert resources["resourceMemoryRequest"] == resources["resourceMemoryLimit"] == "24Gi"
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert "accelerator" not in container_of(spec, "gate")["resources"]


def test_retries_back_off_and_outlast_a_long_training(
    tmp_path: Path, plain: dict[str, Any]
) -> None:
    retries = {"count": 3, "backoff_s": 20, "factor": 2}
    spec, _ = compiled(make_target(tmp_path, machine={"retries": retries}))
    assert tasks_of(spec)["finetune"]["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "20s",
        "backoffFactor": 2.0,
        # From the first attempt's start: Argo gives up on what fails later than this.
        "backoffMaxDuration": "604800s",
    }
    # A failure that Argo's policy does not retry is told after the first wait, too.
    assert tasks_of(plain)["finetune"]["retryPolicy"]["backoffDuration"] == "5s"
    spec, _ = compiled(make_target(tmp_path, machine={"retries": {"count": 0}}))
    assert "retryPolicy" not in tasks_of(spec)["finetune"]


def test_what_kubernetes_is_told(tmp_path: Path) -> None:
    machine = {
        "timeout_s": 7200,
        "shared_memory": "2Gi",
        "node_selector": {"pool": "gpu"},
        "tolerations": ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
        "secrets": {"WEBHOOK": {"name": "hook", "key": "url"}},
    }
    target = make_target(
        tmp_path,
        stages={"finetune": machine},
        labels={"team": "vision"},
        image_pull_secrets=("registry",),
    )
    _, pods = compiled(target)
    pod = pods["exec-finetune"]
    assert pod["activeDeadlineSeconds"] == "7200"
    assert pod["emptyDirMounts"] == [
        {
            "medium": "Memory",
            "mountPath": "/dev/shm",
            "sizeLimit": "2Gi",
            "volumeName": "shared-memory",
        }
    ]
    assert pod["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert pod["tolerations"][0]["effect"] == "NoSchedule"
    assert pod["secretAsEnv"][0]["keyToEnv"] == [{"envVar": "WEBHOOK", "secretKey": "url"}]
    assert pod["imagePullSecret"][0]["secretName"] == "registry"
    assert pod["pvcMount"][0]["mountPath"] == str(tmp_path)
    assert pod["podMetadata"]["labels"] == {
        "app.kubernetes.io/name": "litesmith",
        "app.kubernetes.io/component": "finetune",
        "team": "vision",
    }
    assert not {"emptyDirMounts", "tolerations", "secretAsEnv"} & pods["exec-gate"].keys()


WORKERS = {
    "cpu": "7",
    "memory": "24Gi",
    "accelerator": {"type": "nvidia.com/gpu", "count": 2},
    "workers": 4,
    "shared_memory": "2Gi",
    "timeout_s": 7200,
    "node_selector": {"pool": "gpu"},
    "tolerations": ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
    "environment": {"LITESMITH_DEVICES": "auto"},
    "secrets": {"HUB_TOKEN": {"name": "hub", "key": "token"}},
}


def workers_target(tmp_path: Path, **changes: Any) -> Target:
    return make_target(
        tmp_path,
        **{
            "stages": {"finetune": WORKERS},
            "service_account": "litesmith-runner",
            "labels": {"team": "vision"},
            "image_pull_secrets": ("registry",),
            "run_as_user": 1000,
            "queue": "gpus",
            **changes,
        },
    )


def test_a_stage_with_workers_launches_them_from_a_small_machine(tmp_path: Path) -> None:
    spec, pods = compiled(workers_target(tmp_path, machine={"node_selector": {"os": "linux"}}))
    resources = container_of(spec, "finetune")["resources"]
    assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("250m", "1Gi")
    assert "accelerator" not in resources
    pod = pods["exec-finetune"]
    assert pod["nodeSelector"] == {"labels": {"os": "linux"}} and "tolerations" not in pod
    assert pod["fieldPathAsEnv"] == [
        {"name": "LITESMITH_POD_NAME", "fieldPath": "metadata.name"},
        {"name": "LITESMITH_POD_UID", "fieldPath": "metadata.uid"},
        {"name": "LITESMITH_NAMESPACE", "fieldPath": "metadata.namespace"},
    ]
    assert pod["activeDeadlineSeconds"] == "7200" and pod["pvcMount"]
    assert not {"LITESMITH_WORKER_PODS"} & {
        variable["name"] for variable in container_of(spec, "compress").get("env", ())
    }


def worker_pods(target: Target) -> WorkerPods:
    spec, _ = compiled(target)
    environment = {each["name"]: each["value"] for each in container_of(spec, "finetune")["env"]}
    return WorkerPods.model_validate_json(environment["LITESMITH_WORKER_PODS"])


def test_a_worker_is_what_the_stages_pod_would_have_been(tmp_path: Path) -> None:
    pods = worker_pods(workers_target(tmp_path))
    assert (pods.count, pods.queue, pods.timeout_s) == (4, "gpus", 7200)
    pod = pods.template["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "127.0.0.1:1/train:1"
    assert container["resources"] == {
        "requests": {"cpu": "7", "memory": "24Gi", "nvidia.com/gpu": "2"},
        "limits": {"cpu": "7", "memory": "24Gi", "nvidia.com/gpu": "2"},
    }
    assert container["env"] == [
        {"name": "LITESMITH_DEVICES", "value": "auto"},
        {"name": "HUB_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
    ]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [
        str(tmp_path),
        "/dev/shm",
        "/tmp",
    ]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data"}
    assert pod["volumes"][1]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert pod["volumes"][2] == {"name": "scratch", "emptyDir": {}}
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
    ]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["serviceAccountName"] == "litesmith-runner"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (
        1000,
        1000,
    )
    labels = pods.template["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "finetune" and labels["team"] == "vision"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"queue": None, "run_as_user": None, "image_pull_secrets": (), "labels": {}},
        {"stages": {"finetune": {"workers": 2}}},
        {"volumes": (Volume(claim="data.a", path="/a"), Volume(claim="data.a", path="/b"))},
        {"volumes": (Volume(claim="data", path="/a"), Volume(claim="scratch", path="/tmp"))},
    ],
)
def test_what_is_compiled_for_workers_is_a_jobset(tmp_path: Path, changes: dict[str, Any]) -> None:
    if "volumes" in changes:
        changes = {**changes, "data_root": "/a/data", "registry": "/a/registry"}
    pods = worker_pods(workers_target(tmp_path, **changes))
    mounts = [each["mountPath"] for each in pods.template["spec"]["containers"][0]["volumeMounts"]]
    assert len(mounts) == len(set(mounts))
    owner = {"name": "run-1", "uid": "1"}
    check_jobset(build_jobset(pods, stage="finetune", key="0" * 64, data_root="/d", owner=owner))


def test_the_environment_reaches_the_tasks(tmp_path: Path) -> None:
    machine = {"environment": {"STORAGE_EMULATOR_HOST": "http://gcs:4443"}}
    spec, _ = compiled(make_target(tmp_path, machine=machine))
    assert container_of(spec, "preprocess")["env"] == [
        {"name": "STORAGE_EMULATOR_HOST", "value": "http://gcs:4443"}
    ]


def test_vertex_is_told_nothing_of_kubernetes() -> None:
    spec, pods = compiled(load_target(str(EXAMPLES / "vertex.yaml")))
    resources = container_of(spec, "finetune")["resources"]
    assert pods == {}
    assert resources["accelerator"]["resourceType"] == "NVIDIA_L4"
    assert not any("Request" in name for name in resources)
    assert tasks_of(spec)["finetune"]["retryPolicy"]["backoffMaxDuration"] == "3600s"


def test_the_digest_depends_on_shape_and_target_alone(tmp_path: Path) -> None:
    target = make_target(tmp_path)
    dag = compile_dag(compressions=PRUNED, target=target)
    again = compile_dag(compressions=PRUNED, target=make_target(tmp_path, namespace="elsewhere"))
    assert dag == again
    assert dag.version_name == f"litesmith-{dag.digest[:16]}"
    other_image = target.model_copy(
        update={"images": target.images.model_copy(update={"lite": "lite:2"})}
    )
    digests = {
        dag.digest,
        compile_dag(compressions=(), target=target).digest,
        compile_dag(compressions=PRUNED, target=other_image).digest,
    }
    assert len(digests) == 3


def test_a_target_says_how_many_candidates_are_made_at_once(tmp_path: Path) -> None:
    def limit(**changes: Any) -> int:
        spec, _ = compiled(make_target(tmp_path, **changes))
        (loop,) = (task for task in tasks_of(spec).values() if "parameterIterator" in task)
        return int(loop["iteratorPolicy"]["parallelismLimit"])

    assert (limit(), limit(parallel_candidates=7)) == (2, 7)


def test_variants_are_made_one_after_the_other_and_called_by_their_ids_and_steps(
    tmp_path: Path,
) -> None:
    chain = (Compression("half", ("prune",)), Compression("small", ("prune", "prune")))
    text = compile_dag(compressions=chain, target=make_target(tmp_path)).yaml
    spec = next(yaml.load_all(text, Loader=yaml.CSafeLoader))
    first, second = (task for name, task in tasks_of(spec).items() if name.startswith("compress"))
    assert first["taskInfo"]["name"] == "half: prune"
    assert second["taskInfo"]["name"] == "small: prune, prune"
    models = [task["inputs"]["artifacts"]["models"] for task in (first, second)]
    producers = [each["taskOutputArtifact"]["producerTask"] for each in models]
    assert producers == ["finetune", "compress"]
    for name in ("gate", "report", "publish"):
        given = tasks_of(spec)[name]["inputs"]["artifacts"]["models"]["taskOutputArtifact"]
        assert given == {"outputArtifactKey": "compressed", "producerTask": "compress-2"}


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The pipeline of a search of two rounds, for the same target."""
    target = make_target(tmp_path_factory.mktemp("search"), parallel_candidates=3)
    text = compile_dag(compressions=(), search_rounds=2, target=target).yaml
    pipeline: dict[str, Any] = next(yaml.load_all(text, Loader=yaml.CSafeLoader))
    return pipeline


def test_each_round_of_a_search_tries_what_the_one_before_proposed(
    searching: dict[str, Any],
) -> None:
    tasks = tasks_of(searching)
    loops = [task for _, task in sorted(tasks.items()) if "parameterIterator" in task]
    inside = [
        set(searching["components"][loop["componentRef"]["name"]]["dag"]["tasks"]) for loop in loops
    ]
    assert inside == [{"rung"}, {"rung-2"}, {"rung-3"}, {"candidate"}]
    assert [loop["iteratorPolicy"]["parallelismLimit"] for loop in loops] == [3] * 4
    asked = [loop["parameterIterator"]["items"] for loop in loops]
    assert asked == [
        {"raw": '["dense"]'},
        {"inputParameter": "pipelinechannel--propose-Output"},
        {"inputParameter": "pipelinechannel--propose-2-Output"},
        {"inputParameter": "pipelinechannel--propose-3-Output"},
    ]
    known = [tasks[name]["inputs"]["artifacts"] for name in ("propose", "propose-2", "propose-3")]
    makers = [each["models"]["taskOutputArtifact"]["producerTask"] for each in known]
    assert makers == ["finetune", "propose", "propose-2"]
    for name in ("gate", "report", "publish"):
        given = tasks[name]["inputs"]["artifacts"]["models"]["taskOutputArtifact"]
        assert given == {"outputArtifactKey": "ladder", "producerTask": "propose-3"}


def test_a_loop_is_given_no_other_outputs_values(searching: dict[str, Any]) -> None:
    """kfp.local puts a loop's item in the place of every value that another task returns."""
    for task in tasks_of(searching).values():
        if "parameterIterator" in task:
            item = task["parameterIterator"]["items"].get("inputParameter")
            returned = {
                name
                for name, value in task["inputs"]["parameters"].items()
                if "taskOutputParameter" in value
            }
            assert returned <= {item}


def test_what_a_search_runs_has_its_image_and_is_not_cached(searching: dict[str, Any]) -> None:
    images = {name: container_of(searching, name)["image"] for name in ("rung", "propose")}
    assert images == {"rung": "127.0.0.1:1/train:1", "propose": "127.0.0.1:1/lite:1"}
    own = [task for name, task in tasks_of(searching).items() if name.startswith(("rung", "prop"))]
    assert [task["cachingOptions"] for task in own] == [{}] * 6


def test_the_pipeline_has_no_default_for_any_parameter(
    tmp_path: Path, plain: dict[str, Any]
) -> None:
    recipe = load_recipe("digits")
    wanted = plain["root"]["inputDefinitions"]["parameters"]
    given = run_parameters(recipe, make_target(tmp_path).context("r", recipe))
    assert wanted.keys() == given.keys()


def test_a_schedules_runs_are_named_by_the_cluster(tmp_path: Path) -> None:
    recipe = load_recipe("digits")
    parameters = run_parameters(recipe, make_target(tmp_path).context(WORKFLOW_ID, recipe))
    assert '"run_id":"{{workflow.uid}}"' in parameters["context"]


if __name__ == "__main__":
    for case, dag_shape in CASES:
        golden, contents = golden_case(case, shape=dag_shape)
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(contents)
