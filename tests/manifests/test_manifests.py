"""The manifests render, fit Kubernetes' schemas, and grant no more than is needed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from components.common.jobset import JOBSET_NAME, WorkerPods, build_jobset
from pipeline.compile import compile_dag
from pipeline.target import load_target
from tests.pipeline.conftest import make_target

MANIFESTS = Path(__file__).parents[2] / "manifests"
DOCKERFILE = Path(__file__).parents[2] / "images" / "Dockerfile"
EXAMPLES = MANIFESTS.parent / "docs" / "targets"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
KUBERNETES_VERSION = "1.34"
TASK_LABELS = {"app.kubernetes.io/name": "litesmith", "app.kubernetes.io/component": "prune"}


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kubectl = shutil.which("kubectl", path=beside_python)
    if kubectl is None:
        pytest.skip("kubectl is not installed (the dev extra brings it on Linux)")
    command = [kubectl, "kustomize", str(MANIFESTS / "overlays" / request.param)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return list(yaml.safe_load_all(rendered.stdout))


def test_every_object_fits_its_schema(objects: list[dict[str, Any]]) -> None:
    assert objects
    for item in objects:
        kubernetes_validate.validate(item, KUBERNETES_VERSION, strict=True)


def test_everything_lies_in_one_namespace(objects: list[dict[str, Any]]) -> None:
    namespaces = {o["metadata"]["namespace"] for o in objects if o["kind"] != "Namespace"}
    assert len(namespaces) == 1


def test_roles_name_what_they_grant(objects: list[dict[str, Any]]) -> None:
    roles = [item for item in objects if item["kind"] == "Role"]
    assert {role["metadata"]["name"] for role in roles} >= {
        "litesmith-runner",
        "litesmith-submitter",
        "litesmith-launcher",
    }
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        if "secrets" in rule["resources"]:
            assert rule["resourceNames"], "a role may read only the secrets it names"


def test_every_binding_finds_its_role_and_accounts(objects: list[dict[str, Any]]) -> None:
    names = {(item["kind"], item["metadata"]["name"]) for item in objects}
    for binding in (item for item in objects if item["kind"] == "RoleBinding"):
        role = (binding["roleRef"]["kind"], binding["roleRef"]["name"])
        assert role in names or role == ("ClusterRole", "kubeflow-pipelines-edit")
        for subject in binding["subjects"]:
            assert (subject["kind"], subject["name"]) in names


def test_the_network_policy_is_for_the_pods_that_compile_labels(
    objects: list[dict[str, Any]], tmp_path: Path
) -> None:
    policy = policy_of(objects, "litesmith-tasks")
    text = compile_dag(prunes=False, target=make_target(tmp_path)).yaml
    _, platform = yaml.safe_load_all(text)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for executor in executors.values():
        labels = executor["podMetadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    ports = {port["port"] for rule in policy["egress"] for port in rule.get("ports", ())}
    assert ports >= {53, 443, 6443}


def test_workers_reach_one_another_and_nobody_else_reaches_them(
    objects: list[dict[str, Any]],
) -> None:
    policy = policy_of(objects, "litesmith-workers")
    template = {"metadata": {"labels": TASK_LABELS}, "spec": {"containers": [{"name": "main"}]}}
    pods = WorkerPods(count=2, template=template)
    jobset = build_jobset(pods, stage="prune", key="0" * 64, data_root="/", owner={})
    (job,) = jobset["spec"]["replicatedJobs"]
    labels = job["template"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"] == {
        "matchLabels": {"app.kubernetes.io/name": labels["app.kubernetes.io/name"]},
        "matchExpressions": [{"key": JOBSET_NAME, "operator": "Exists"}],
    }
    assert policy["ingress"] == [{"from": [{"podSelector": policy["podSelector"]}]}]


def test_the_quota_has_room_for_the_example_with_workers() -> None:
    quota, _ = yaml.safe_load_all(
        (MANIFESTS / "components" / "own-namespace" / "quota.yaml").read_text()
    )
    room = quota["spec"]["hard"]
    machine = load_target(str(EXAMPLES / "workers.yaml")).machine_of("finetune")
    assert machine.accelerator is not None
    gigabytes = int(machine.memory.removesuffix("Gi"))
    assert machine.workers * int(machine.cpu) < int(room["requests.cpu"])
    assert machine.workers * gigabytes < int(room["requests.memory"].removesuffix("Gi"))
    gpus = room[f"requests.{machine.accelerator.type}"]
    assert machine.workers * machine.accelerator.count <= int(gpus)


def policy_of(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    policies = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "NetworkPolicy"}
    return policies[name]


def test_every_pod_of_the_manifests_is_hardened(objects: list[dict[str, Any]]) -> None:
    for job in (item for item in objects if item["kind"] == "Job"):
        pod = job["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        # The images' own group, which a volume must belong to.
        user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE.read_text(), re.MULTILINE)
        assert user is not None
        assert str(pod["securityContext"]["fsGroup"]) == user[2]
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert {"requests", "limits"} <= container["resources"].keys()


def test_no_secret_is_in_the_manifests(objects: list[dict[str, Any]]) -> None:
    assert not [item for item in objects if item["kind"] == "Secret"]
