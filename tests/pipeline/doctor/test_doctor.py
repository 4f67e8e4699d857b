"""The doctor: what it finds, and that each failure says what to do."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.doctor.checks import (
    check_accelerators,
    check_data,
    check_host,
    check_libraries,
    check_retries,
    check_workers,
    check_writable,
    fits,
)
from pipeline.doctor.rehearsals import survey_data, try_model
from pipeline.kubeflow.container_registry import image_exists, parse_image
from pipeline.recipe import load_recipe
from pipeline.stages import TASKS
from pipeline.target import KubeflowTarget, Machine
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.targets import make_target
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubernetes_server import KubernetesServer


def test_libraries_fit_here() -> None:
    assert check_libraries(("beam", "train", "lite", "cluster")).state == "fine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    assert check_writable("data root", str(tmp_path / "new")).state == "fine"
    (tmp_path / "file").write_text("")
    finding = check_writable("data root", str(tmp_path / "file" / "below"))
    assert finding.state == "failed"
    assert str(tmp_path / "file") in finding.message
    assert not [path for path in (tmp_path / "new").iterdir()], "the probe is removed"


def test_a_missing_source_is_named_by_its_key(tmp_path: Path) -> None:
    recipe = load_recipe("folder", [f"data.folder={tmp_path}"])
    assert [finding.state for finding in check_data(recipe)] == ["fine"]
    gone = recipe.data.model_copy(update={"folder": str(tmp_path / "gone")})
    (finding,) = check_data(recipe.model_copy(update={"data": gone}))
    assert (finding.check, finding.state) == ("data.folder", "failed")


def test_an_unreachable_host_fails_with_a_remedy(tmp_path: Path) -> None:
    finding = check_host(make_target(tmp_path))
    assert finding.state == "failed"
    assert "127.0.0.1:1" in finding.message


def test_a_host_that_answers_is_fine(target: KubeflowTarget, server: KfpServer) -> None:
    finding = check_host(target)
    assert (finding.state, "single-user KFP" in finding.message) == ("warning", True)
    server.namespaces = frozenset({"vision"})
    assert check_host(target).state == "fine"


def test_accelerators_of_every_stage_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [({"pool": "gpu"}, {"nvidia.com/gpu": "1"})]
    monkeypatch.setattr("pipeline.doctor.checks._nodes", lambda context: nodes)
    wanted = {"type": "nvidia.com/gpu", "count": 1}
    everywhere = make_target(tmp_path, machine={"accelerator": wanted})
    assert {finding.state for finding in check_accelerators(everywhere)} == {"fine"}
    assert len(list(check_accelerators(everywhere))) == len(TASKS)
    more = make_target(tmp_path, stages={"finetune": {"accelerator": {**wanted, "count": 2}}})
    (finding,) = check_accelerators(more)
    assert finding.state == "failed" and "add a node pool" in finding.message


def test_a_node_fits_by_resource_and_labels() -> None:
    machine = Machine.model_validate(
        {"accelerator": {"type": "nvidia.com/gpu", "count": 2}, "node_selector": {"pool": "gpu"}}
    )
    assert fits(machine, {"pool": "gpu", "zone": "a"}, {"nvidia.com/gpu": "2"})
    assert not fits(machine, {"pool": "gpu"}, {"nvidia.com/gpu": "1"})
    assert not fits(machine, {"pool": "cpu"}, {"nvidia.com/gpu": "8"})
    assert not fits(machine, {"pool": "gpu"}, {})


STOCK = """\
spec:
  ttlStrategy:
    secondsAfterCompletion: 3600
  templateDefaults:
    retryStrategy:
      limit: '2'
      retryPolicy: OnError
"""


@pytest.mark.parametrize(
    ("defaults", "state", "words"),
    [
        (STOCK, "warning", "give retryStrategy under templateDefaults the limit 0"),
        (STOCK.replace("      limit: '2'\n", ""), "warning", "attempts multiply"),
        (STOCK.replace("'2'", "'0'"), "fine", ""),
        (STOCK.replace("'2'", "0"), "fine", ""),
        (STOCK.partition("  templateDefaults")[0], "fine", ""),
        ("", "fine", ""),
        ("{", "warning", "can't be looked at from here"),
    ],
)
def test_argos_own_retries_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defaults: str, state: str, words: str
) -> None:
    with KubernetesServer().serving(tmp_path, monkeypatch) as server:
        data = {"workflowDefaults": defaults, "executor": "imagePullPolicy: IfNotPresent"}
        server.config_maps["kubeflow", "workflow-controller-configmap"] = data
        found = check_retries(make_target(tmp_path))
    assert (found.state, words in found.message) == (state, True)


def test_retries_that_cannot_be_looked_at_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_target(tmp_path)
    with KubernetesServer().serving(tmp_path, monkeypatch) as server:
        missing = check_retries(target)
        server.rules = []
        refused = check_retries(target)
    assert {missing.state, refused.state} == {"warning"}
    assert "kubeflow/workflow-controller-configmap: 404" in missing.message
    assert "kubeflow/workflow-controller-configmap: 403" in refused.message


def test_workers_need_jobset_and_the_launchers_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Path(__file__).parents[3] / "manifests" / "components" / "launcher"
    text = launcher.joinpath("launcher.yaml").read_text()
    (role,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "Role")
    alone = make_target(tmp_path)
    together = make_target(
        tmp_path, stages={"compress": {"workers": 2}}, service_account="litesmith-runner"
    )
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/none")
    with KubernetesServer(rules=role["rules"]).serving(tmp_path, monkeypatch) as server:
        assert list(check_workers(alone)) == []
        (fine,) = check_workers(together)
        assert (fine.state, server.count("^POST")) == ("fine", 1)
        server.rules = []
        (refused,) = check_workers(together)
        assert (refused.state, "components/launcher" in refused.message) == ("failed", True)
        server.has_jobset = False
        (missing,) = check_workers(together)
        assert (missing.state, "install" in missing.message) == ("failed", True)
        server.fail(".", "503")
        (unknown,) = check_workers(together)
        assert unknown.state == "warning"
    (unreachable,) = check_workers(together)
    assert unreachable.state == "warning"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("python:3.11", ("registry-1.docker.io", "library/python", "3.11")),
        ("apache/beam", ("registry-1.docker.io", "apache/beam", "latest")),
        ("localhost/litesmith/lite:1", ("localhost", "litesmith/lite", "1")),
        ("registry.example:5000/a/b@sha256:12", ("registry.example:5000", "a/b", "sha256:12")),
        ("registry.example/a/b:1@sha256:12", ("registry.example", "a/b", "sha256:12")),
    ],
)
def test_image_names_are_split_as_docker_does(image: str, parts: tuple[str, str, str]) -> None:
    assert parse_image(image) == parts


class _Registry(BaseHTTPRequestHandler):
    """Holds one image, and asks for a token that takes a login."""

    def do_HEAD(self) -> None:
        if self.headers.get("Authorization") != "Bearer let-me-in":
            realm = f"http://{self.headers['Host']}/token"
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="r",scope="s"')
        elif self.path == "/v2/litesmith/lite/manifests/1":
            self.send_response(200)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        login = "Basic " + base64.b64encode(b"me:secret").decode()
        if self.path != "/token?service=r&scope=s" or self.headers.get("Authorization") != login:
            self.send_response(403)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"token": "let-me-in"}')

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def registry() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_registry_is_asked_with_dockers_login(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    existence, reason = image_exists(f"{registry}/litesmith/lite:1", plain_http=True)
    assert (existence, "no credential helper" in reason) == ("unknown", True)

    login = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
    assert image_exists(f"{registry}/litesmith/lite:1", plain_http=True) == ("exists", "")
    existence, reason = image_exists(f"{registry}/litesmith/lite:2", plain_http=True)
    assert (existence, "litesmith/lite:2" in reason) == ("missing", True)


def test_a_registry_out_of_reach_is_no_failure() -> None:
    assert image_exists("127.0.0.1:1/litesmith/lite:1")[0] == "unknown"


@pytest.mark.slow
def test_the_model_is_tried_with_every_step() -> None:
    recipe = load_recipe("digits", tiny=True)
    findings = {finding.check: finding for finding in try_model(recipe)}
    assert set(findings) == {"preprocess", "finetune", "compress[pruned]", *recipe.candidate_ids()}
    assert {finding.state for finding in findings.values()} == {"fine"}


@pytest.mark.slow
def test_a_failing_check_ends_with_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["doctor", "digits", "--tiny", "--data-root", str(tmp_path / "file")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert "data root" in result.output
    assert "2 of the checks failed" in result.output


@pytest.mark.slow
def test_the_model_is_tried_where_it_is_asked_for_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "digits", "--data-root", str(tmp_path)])
    assert result.exit_code == ExitCode.OK
    assert "ready to run; not tried: model" in result.output
    assert "--trial" in result.output
    for line in result.output.splitlines():
        assert not line.startswith("fine") or re.search(r"\(\d+(\.\d+)? s\)$", line), line


@pytest.mark.slow
def test_a_folder_without_pictures_is_refused_without_a_budget_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    source = ["--set", f"data.folder={tmp_path / 'empty'}", "--set", "budgets.accuracy_drop=null"]
    arguments = ["doctor", "folder", *source, "--data-root", str(tmp_path / "data")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == ExitCode.BAD_INPUT, result.exception
    words = " ".join(result.output.split())
    assert "has no sub-folders" in words and "holds nothing" in words


@pytest.mark.slow
def test_what_a_run_would_refuse_of_the_pictures_is_refused(tmp_path: Path) -> None:
    for first, name, count in ((0, "left", 60), (100, "right", 60), (200, "lost", 1)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("L", (8, 8), first + number)
            picture.save(tmp_path / "pictures" / name / f"{number}.png")
    stated = [f"data.folder={tmp_path / 'pictures'}", "budgets.accuracy_drop=0.4"]

    def survey(*overrides: str) -> list[tuple[str, str, str]]:
        recipe = load_recipe("folder", [*stated, *overrides])
        findings = survey_data(recipe, registry=str(tmp_path / "registry"))
        return [(finding.check, finding.state, finding.message) for finding in findings]

    (fine, stopped) = survey()
    assert fine[:2] == ("pictures", "fine")
    assert "of 3 classes; left out: none" in fine[2]
    assert stopped[:2] == ("data set", "failed")
    assert "no example of lost" in stopped[2]
    warned = survey("validate.missing_class=warn", "budgets.accuracy_drop=null")
    assert {state for _, state, _ in warned} == {"fine", "warning"}
    assert any("train.augment.flip: false" in message for _, _, message in warned)


@pytest.mark.slow
def test_texts_are_looked_at_as_pictures_are(tmp_path: Path) -> None:
    rows = [f"the film was fair {number},{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *rows, " ,a"]))
    (tmp_path / "recipe.yaml").write_text("{name: films, task: text, data: {list: texts.csv}}")
    recipe = load_recipe(str(tmp_path / "recipe.yaml"))
    findings = survey_data(recipe, registry=str(tmp_path / "registry"))
    told = {finding.check: finding for finding in findings}
    assert told["texts"].state == "fine", told["texts"].message
    assert "of 2 classes" in told["texts"].message


def test_a_look_at_the_pictures_that_breaks_off_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("folder", [f"data.folder={tmp_path}"])
    monkeypatch.setenv("PYTHONHASHSEED", "none")  # With which no Python starts.
    (finding,) = survey_data(recipe, registry=str(tmp_path))
    assert finding.state == "failed" and finding.message
