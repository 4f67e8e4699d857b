"""docs/cluster.md followed step by step, each command in it run against the stand-in servers."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.connection import connect
from pipeline.target import KubeflowTarget, load_target
from pipeline.terminal.exit_codes import ExitCode
from tests.documented import mentioned, typed
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubernetes_server import KubernetesServer
from tests.pipeline.kubeflow.left_runs import leave_outcome

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs" / "cluster.md"

# What stands in the page for something of the reader's.
PLACEHOLDERS = {
    "<name>": "mine",
    "RECIPE": "digits",
    "--target T": "--target mine",
    "RUN": "{run}",
}
# What the page says in passing, by a part of a command, and the whole of it.
IN_PASSING = {
    "doctor --target": "doctor digits --target mine",
    "submit --wait": "submit digits --target mine --wait",
    "runs show": "runs show {run} --target mine",
    "runs logs": "runs logs {run} --target mine",
    "runs logs RUN finetune": "runs logs {run} finetune --target mine",
    "runs logs RUN compress": "runs logs {run} compress --target mine",
    "runs cancel": "runs cancel {going} --target mine",
    "schedule plan": "schedule plan",
    "schedule apply": "schedule apply",
}


def commands() -> list[str]:
    """Returns the commands of the page, its placeholders filled in, in the page's order."""
    text = PAGE.read_text()
    groups = "|".join(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    passing = set(re.findall(rf"`((?:{groups}) [^`]+)`", text))
    assert passing <= IN_PASSING.keys(), "say in IN_PASSING what is to be run for these"
    whole = [c.removeprefix("litesmith ") for c in (*typed(PAGE), *mentioned(PAGE))]
    whole.sort(key=lambda command: text.index(command))
    for placeholder, value in PLACEHOLDERS.items():
        whole = [command.replace(placeholder, value) for command in whole]
    ours = [command for command in whole if not command.startswith("make ")]
    return list(dict.fromkeys([*ours, *sorted(IN_PASSING[each] for each in passing)]))


@pytest.fixture
def folder(tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a reader's folder: the examples copied, and their addresses made one's own."""
    monkeypatch.setattr("pipeline.kubeflow.cluster.WAITS_S", (0.0, 0.01, 0.01))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/none")
    own = {
        "auth: {kind: port_forward}": f"host: {server.host}",
        "registry.example.com/litesmith": "127.0.0.1:1",
        "/mnt/litesmith": str(tmp_path / "volume"),
    }
    (tmp_path / "targets").mkdir()
    (tmp_path / "volume").mkdir()
    target = replaced((REPOSITORY / "docs" / "targets" / "volume.yaml").read_text(), own)
    (tmp_path / "targets" / "mine.yaml").write_text(target)
    schedules = (REPOSITORY / "docs" / "schedules.yaml").read_text()
    schedules = replaced(schedules, {"target: kubeflow": "target: mine"})
    (tmp_path / "schedules.yaml").write_text(schedules)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    """A Kubernetes that grants what the manifests grant to the account that submits."""
    text = (REPOSITORY / "manifests" / "base" / "submitter.yaml").read_text()
    (role,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "Role")
    with KubernetesServer(rules=role["rules"]).serving(tmp_path, monkeypatch) as kubernetes:
        yield kubernetes


def replaced(text: str, values: dict[str, str]) -> str:
    for old, new in values.items():
        assert old in text, f"{old} is not in the example any more"
        text = text.replace(old, new)
    return text


def run(command: str, **names: str) -> Any:
    result = CliRunner().invoke(app, shlex.split(command.format(**names)), catch_exceptions=False)
    assert result.exit_code == ExitCode.OK, f"{command}\n{result.output}"
    return result.output


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_says(
    folder: Path, server: KfpServer, kubernetes: KubernetesServer
) -> None:
    names = start_runs(server, kubernetes)
    server.autopilot = ("RUNNING", "SUCCEEDED")
    leave_outcome(server, "blessed")
    shown = {command: run(command, **names) for command in commands()}
    assert "mine: fine; kubeflow" in shown["target validate mine"]
    assert "blessed: so it is" in shown["submit digits --target mine --wait"]
    assert names["run"] in shown["runs list --target mine"]
    assert "## litesmith digits: blessed" in shown["ci digits --target mine"]
    assert "create   digits-nightly: is not on the cluster" in shown["schedule plan"]
    assert {r["display_name"]: r["mode"] for r in server.recurring_runs.values()} == {
        "digits-nightly": "ENABLE",
        "digits-weekly": "ENABLE",
        "digits-often": "DISABLE",
        "uploads-nightly": "ENABLE",
    }
    assert "its own words" in shown["runs logs {run} finetune --target mine"]
    assert "a rung's words" in shown["runs logs {run} compress --target mine"]
    assert "is being cancelled" in shown["runs cancel {going} --target mine"]
    assert "nothing to do" in run("schedule apply")


def start_runs(server: KfpServer, kubernetes: KubernetesServer) -> dict[str, str]:
    """Starts a run that ends well and has pods, and one that goes on; returns their names."""
    target = load_target("mine")
    assert isinstance(target, KubeflowTarget)
    for _ in range(2):
        run("submit digits --target mine")
    ended, going = server.runs
    for state in ("RUNNING", "SUCCEEDED"):
        server.move(ended, state)
    server.move(going, "RUNNING")
    kubernetes.run_pod(ended, "finetune", "its own words")
    kubernetes.run_pod(ended, "rung", "a rung's words")
    with connect(target, {}) as api:
        runs = [Cluster(api, target).get(id_).name for id_ in (ended, going)]
    return {"run": runs[0], "going": runs[1]}


def test_the_page_is_read_as_it_stands() -> None:
    found = commands()
    for command in (
        "target validate mine",
        "doctor digits --target mine",
        "submit digits --target mine --wait",
        "schedule plan",
        "ci digits --target mine",
        "runs logs {run} finetune --target mine",
    ):
        assert command in found
    assert found.index("target validate mine") < found.index("submit digits --target mine --wait")


@pytest.mark.parametrize("example", ["volume", "kubeflow", "workers"])
def test_the_accounts_and_claims_of_the_examples_are_those_of_an_overlay(example: str) -> None:
    """Targets and manifests are copied apart, and must go together."""
    target = load_target(str(REPOSITORY / "docs" / "targets" / f"{example}.yaml"))
    assert isinstance(target, KubeflowTarget)
    names = {
        "volume": ["kind"],
        "kubeflow": ["gke"],
        "workers": ["gke", "generic"],
    }[example]
    for name in names:
        overlay = REPOSITORY / "manifests" / "overlays" / name / "kustomization.yaml"
        kustomization = yaml.safe_load(overlay.read_text())
        assert target.namespace == kustomization["namespace"]
        base = (REPOSITORY / "manifests" / "base" / "runner.yaml").read_text()
        assert f"name: {target.service_account}\n" in base
        with_volume = any("data-volume" in path for path in kustomization["components"])
        assert with_volume or not target.volumes


def test_every_path_of_the_page_is_there() -> None:
    paths = re.findall(r"(?:manifests|docs|images)/[\w./-]*\w", PAGE.read_text())
    assert len(paths) > 8
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []
