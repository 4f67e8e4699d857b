"""The manifests render, fit Kubernetes' schemas, and grant no more than is needed."""

import functools
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from components.common.workers.jobset import JOBSET_NAME, WorkerPods, build_jobset
from pipeline.dag.compile import compile_dag
from pipeline.target import load_target
from tests.builders.targets import make_target

MANIFESTS = Path(__file__).parents[2] / "manifests"
DOCKERFILE = Path(__file__).parents[2] / "images" / "Dockerfile"
EXAMPLES = MANIFESTS.parent / "docs" / "targets"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
KUBERNETES_VERSION = "1.34"
KFP = "kubeflow"
TASK_LABELS = {"app.kubernetes.io/name": "litesmith", "app.kubernetes.io/component": "compress"}


def render(folder: Path) -> list[dict[str, Any]]:
    """Returns what kubectl makes of a folder with a kustomization."""
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kubectl = shutil.which("kubectl", path=beside_python)
    if kubectl is None:
        pytest.skip("kubectl is not installed (the dev extra brings it on Linux)")
    command = [kubectl, "kustomize", str(folder)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return list(yaml.safe_load_all(rendered.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return render(MANIFESTS / "overlays" / request.param)


def render_with(tmp_path: Path, overlay: str, **more: Any) -> list[dict[str, Any]]:
    """Returns an overlay's objects with something of one's own, as a user would add it."""
    manifests = Path(os.path.relpath(MANIFESTS, tmp_path))
    components = [str(manifests / name) for name in more.pop("components", ())]
    kustomization = {"resources": [str(manifests / "overlays" / overlay)], **more}
    text = yaml.safe_dump({**kustomization, "components": components, "namespace": "litesmith"})
    (tmp_path / "kustomization.yaml").write_text(text)
    return render(tmp_path)


@pytest.fixture(scope="module")
def with_workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("workers")
    return render_with(folder, "generic", components=["components/launcher"])


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
    }
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        if "secrets" in rule["resources"]:
            assert rule["resourceNames"], "a role may read only the secrets it names"


def test_nothing_creates_pods_or_reaches_into_them_unasked(objects: list[dict[str, Any]]) -> None:
    """JobSets are pods under any account; a forwarded port may be the database's."""
    verbs = {
        (resource, verb)
        for role in objects
        if role["kind"] == "Role"
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {verb for _, verb in verbs if verb not in ("get", "list")} == {"create", "patch"}
    written = {resource for resource, verb in verbs if verb not in ("get", "list")}
    assert written == {"workflowtaskresults"}


def test_only_an_s3_compatible_pipeline_root_needs_a_secret() -> None:
    asks = {
        overlay: any(
            "secrets" in rule["resources"]
            for item in render(MANIFESTS / "overlays" / overlay)
            if item["kind"] == "Role"
            for rule in item["rules"]
        )
        for overlay in OVERLAYS
    }
    assert asks == {"generic": True, "gke": False, "kind": True}


@pytest.mark.parametrize("component", ["launcher", "port-forward"])
def test_what_is_chosen_is_added(tmp_path: Path, component: str) -> None:
    added = render_with(tmp_path, "generic", components=[f"components/{component}"])
    before = render(MANIFESTS / "overlays" / "generic")
    names = {(o["kind"], o["metadata"]["name"]) for o in added if o not in before}
    assert ("Role", f"litesmith-{component}") in names
    for item in added:
        kubernetes_validate.validate(item, KUBERNETES_VERSION, strict=True)


def test_the_image_of_a_job_is_pinned_by_an_overlay(tmp_path: Path) -> None:
    """As the component's comment says: no digest can be stated for every registry's copy."""
    digest = "sha256:" + "0" * 64
    pinned = {"name": "docker.io/library/busybox", "digest": digest}
    jobs = [o for o in render_with(tmp_path, "generic", images=[pinned]) if o["kind"] == "Job"]
    images = [c["image"] for job in jobs for c in job["spec"]["template"]["spec"]["containers"]]
    assert images and all(image.endswith(f"@{digest}") for image in images)


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
    text = compile_dag(compressions=(), target=make_target(tmp_path)).yaml
    _, platform = yaml.safe_load_all(text)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for executor in executors.values():
        labels = executor["podMetadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()


METADATA_SERVERS = ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254")


def reaches(policies: list[dict[str, Any]], address: str, port: int, namespace: str = "") -> bool:
    """Whether a policy lets a task reach an address outside, or a pod of a namespace, by TCP."""

    def fits(peer: dict[str, Any]) -> bool:
        block = peer.get("ipBlock")
        if block is None:
            labels = peer.get("namespaceSelector", {}).get("matchLabels", {})
            named = labels.get("kubernetes.io/metadata.name", namespace)
            return bool(namespace) and "namespaceSelector" in peer and named == namespace
        where = ipaddress.ip_address(address)
        outside = [ipaddress.ip_network(each) for each in block.get("except", ())]
        return where in ipaddress.ip_network(block["cidr"]) and not any(
            where in each for each in outside
        )

    rules = (rule for policy in policies for rule in policy.get("egress", ()))
    return any(
        {"protocol": "TCP", "port": port} in rule.get("ports", [{"protocol": "TCP", "port": port}])
        and ("to" not in rule or any(fits(peer) for peer in rule["to"]))
        for rule in rules
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_tasks_reach_what_they_need_and_nothing_else(overlay: str) -> None:
    policies = [
        item["spec"]
        for item in render(MANIFESTS / "overlays" / overlay)
        if item["kind"] == "NetworkPolicy" and "matchExpressions" not in item["spec"]["podSelector"]
    ]
    kfp = {port for port in (3306, *range(8000, 9100)) if reaches(policies, "10.0.0.9", port, KFP)}
    ours = {8443} if overlay == "kind" else set()
    assert kfp == {8080, 8887, 8888, 8333, 9000} | ours
    assert reaches(policies, "142.250.1.1", 443), "buckets"
    assert reaches(policies, "10.96.0.1", 6443), "the Kubernetes API"
    assert not reaches(policies, "142.250.1.1", 80)
    assert not reaches(policies, "10.0.0.9", 3306, "elsewhere")
    reached = {
        (server, port)
        for server in METADATA_SERVERS
        for port in (80, 443, 988)
        if reaches(policies, server, port)
    }
    assert reached == ({("169.254.169.254", 80)} if overlay == "gke" else set())
    for policy in policies:
        assert policy.get("ingress", []) == []


def test_workers_reach_one_another_and_nobody_else_reaches_them(
    with_workers: list[dict[str, Any]],
) -> None:
    policy = policy_of(with_workers, "litesmith-workers")
    template = {"metadata": {"labels": TASK_LABELS}, "spec": {"containers": [{"name": "main"}]}}
    pods = WorkerPods(count=2, template=template)
    jobset = build_jobset(pods, stage="compress", key="0" * 64, data_root="/", owner={})
    (job,) = jobset["spec"]["replicatedJobs"]
    labels = job["template"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"] == {
        "matchLabels": {"app.kubernetes.io/name": labels["app.kubernetes.io/name"]},
        "matchExpressions": [{"key": JOBSET_NAME, "operator": "Exists"}],
    }
    workers = {"podSelector": policy["podSelector"]}
    assert (policy["ingress"], policy["egress"]) == ([{"from": [workers]}], [{"to": [workers]}])


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
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"requests", "limits"} <= container["resources"].keys()


# --- applied twice --------------------------------------------------------------------

# What the server states in an element of a list that is replaced as a whole, where the file
# does not: https://kubernetes.io/docs/reference/kubernetes-api/ gives each default. In lists
# that are merged, and in plain objects, what the file leaves out is never compared.
STATED_BY_THE_SERVER = {"NetworkPolicyPort": {"protocol"}, "ServicePort": {"protocol"}}
KEPT_WHEN_EMPTY = {"podSelector", "namespaceSelector", "emptyDir"}  # Pointers in the API.


def differences(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """Yields what Kubernetes would return otherwise than it is written."""
    kind = schema.get("$ref", "").rpartition(".")[2]
    schema = definition(schema)
    if kind == "Quantity":
        if not isinstance(value, str) or value != canonical_quantity(value):
            yield f"{where}: {value!r} is returned as {canonical_quantity(str(value))!r}"
    elif isinstance(value, dict):
        if not value and where.rpartition(".")[2] not in KEPT_WHEN_EMPTY:
            yield f"{where}: is empty, and left out by the server"
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            yield from differences(item, inner, f"{where}.{name}")
    elif isinstance(value, list):
        if not value:
            yield f"{where}: is empty, and left out by the server"
        element = schema.get("items", {})
        stated = STATED_BY_THE_SERVER.get(element.get("$ref", "").rpartition(".")[2], set())
        for number, item in enumerate(value):
            for name in stated - set(item if isinstance(item, dict) else ()):
                yield f"{where}[{number}].{name}: is added by the server"
            yield from differences(item, element, f"{where}[{number}]")
    elif value is None:
        yield f"{where}: is null"


@functools.cache
def definitions() -> dict[str, Any]:
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    text = (folder / f"v{KUBERNETES_VERSION}.0-local" / "_definitions.json").read_text()
    found: dict[str, Any] = json.loads(text)["$defs"]
    return found


def definition(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = definitions()[schema["$ref"].rpartition("/")[2]]
    return schema


def canonical_quantity(text: str) -> str:
    """Returns a quantity as the server writes it: no fraction, and the greatest suffix."""
    number, suffix = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", text).groups()  # type: ignore[union-attr]
    binary = suffix.endswith("i")
    base, names = (1024, ["", *"KMGTPE"]) if binary else (1000, ["n", "u", "m", "", *"kMGTPE"])
    names = [name + "i" * (binary and name != "") for name in names]
    place, amount = names.index(suffix), Fraction(number)
    while amount.denominator != 1 and place > 0:
        place, amount = place - 1, amount * base
    while amount and amount % base == 0 and place < len(names) - 1:
        place, amount = place + 1, amount / base
    return f"{amount.numerator}{names[place]}"


def differences_of(item: dict[str, Any]) -> list[str]:
    group, _, version = item["apiVersion"].rpartition("/")
    wanted = {"group": group, "version": version, "kind": item["kind"]}
    schema = next(
        each
        for each in definitions().values()
        if wanted in each.get("x-kubernetes-group-version-kind", ())
    )
    where = f"{item['kind']} {item['metadata']['name']}"
    return list(differences(item, schema, where))


def test_applying_twice_changes_nothing(
    objects: list[dict[str, Any]], with_workers: list[dict[str, Any]]
) -> None:
    """Kubectl says `configured` wherever what is written is not what the server returns."""
    assert [line for item in (*objects, *with_workers) for line in differences_of(item)] == []


@pytest.mark.parametrize(
    ("kind", "version", "spec", "difference"),
    [
        (
            "NetworkPolicy",
            "networking.k8s.io/v1",
            {"egress": [{"ports": [{"port": 53}]}]},
            "spec.egress[0].ports[0].protocol: is added",
        ),
        ("NetworkPolicy", "networking.k8s.io/v1", {"ingress": []}, "spec.ingress: is empty"),
        ("ResourceQuota", "v1", {"hard": {"cpu": "2000m"}}, "'2000m' is returned as '2'"),
        ("ResourceQuota", "v1", {"hard": {"cpu": 2}}, "2 is returned as '2'"),
        ("ResourceQuota", "v1", {"hard": {"memory": "1024Mi"}}, "is returned as '1Gi'"),
        ("ResourceQuota", "v1", {"hard": {"memory": "1.5Gi"}}, "is returned as '1536Mi'"),
        ("ResourceQuota", "v1", {"hard": {"cpu": "0.5"}}, "is returned as '500m'"),
    ],
)
def test_what_the_server_returns_otherwise_is_seen(
    kind: str, version: str, spec: dict[str, Any], difference: str
) -> None:
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    (found,) = differences_of(item)
    assert difference in found


def test_no_secret_is_in_the_manifests(objects: list[dict[str, Any]]) -> None:
    assert not [item for item in objects if item["kind"] == "Secret"]
