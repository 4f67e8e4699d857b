"""What the pods of a run tell: their logs, and how they ended."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.common.errors import UserError
from pipeline.cli.main import app
from pipeline.kubeflow.pods import RunPods, own_lines, read_logs
from pipeline.kubeflow.run_end import PodEnd
from tests.builders.targets import make_target
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubernetes_server import KubernetesServer
from tests.pipeline.kubeflow.submitting import start, write_target


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    with KubernetesServer(rules=rules).serving(tmp_path, monkeypatch) as server:
        yield server


# What a stage's container printed on a KFP 2.17: Argo's executor, KFP's launcher and the SDK
# before it, the launcher with the outputs in several lines after it.
BEFORE = """\
time=2026-11-25T15:12:40.102Z level=INFO msg="capturing logs" argo=true
I1125 15:12:40.331201      16 main.go:139] Setting log level to: '1'
I1125 15:12:41.004512      16 launcher_v2.go:186] input ComponentSpec:{
  "inputDefinitions": {
    "parameters": {
      "config": {
        "parameterType": "STRING"
      }
    }
  }
}
[KFP Executor 2026-11-25 15:12:43,271 INFO]: Looking for component `finetune` in --component_module_path
[KFP Executor 2026-11-25 15:12:43,300 INFO]: Got executor_input:
{
    "inputs": {}
}
"""  # noqa: E501
OWN = """\
finetune: started
epoch 1 of 2
finetune: progress done=1 total=2 unit=epochs note=loss 0.31"""
AFTER = """\
[KFP Executor 2026-11-25 15:14:02,118 INFO]: Wrote executor output file to /minio/outputs.json.
I1125 15:14:02.401001      16 launcher_v2.go:1230] ExecutorOutput: {
  "artifacts": {
    "bundle": {}
  }
}
I1125 15:14:03.120000      16 launcher_v2.go:206] publish success.
time=2026-11-25T15:14:03.333Z level=INFO msg="sub-process exited" argo=true error=<nil>
"""


def test_of_a_stage_that_finished_its_own_lines_are_kept() -> None:
    end = "finetune: finished status=computed seconds=79.3"
    assert own_lines(f"{BEFORE}{OWN}\n{end}\n{AFTER}") == f"{OWN}\n{end}"


def test_of_a_stage_that_failed_what_python_said_is_kept() -> None:
    traceback = 'Traceback (most recent call last):\n  File "stage.py"\nMemoryError'
    failed = (
        "E1125 15:14:02.401001      16 launcher_v2.go:449] Component failed to execute: exit 1\n"
        "F1125 15:14:02.500001      16 main.go:130] failed to execute component: exit status 1\n"
        "time=2026-11-25T15:14:03.333Z level=INFO msg=exited argo=true error=<nil>\n"
    )
    kept = f"{OWN}\nfinetune: failed message=MemoryError user_error=False\n{traceback}"
    assert own_lines(f"{BEFORE}{kept}\n{failed}") == kept


def test_of_two_stages_in_one_pod_both_are_kept() -> None:
    lines = (
        "quantize[int8]: started\nquantize[int8]: finished status=cached seconds=0.2\n"
        "evaluate[int8]: started\nevaluate[int8]: finished status=computed seconds=3.1"
    )
    assert own_lines(f"{BEFORE}{lines}\n{AFTER}") == lines


def test_of_a_stage_that_did_not_start_all_is_kept() -> None:
    log = f"{BEFORE}ModuleNotFoundError: No module named 'tensorflow'\n"
    assert own_lines(log) == log


def test_logs_come_pod_by_pod(tmp_path: Path, kubernetes: KubernetesServer) -> None:
    for stage, log in (("preprocess", "a"), ("finetune", "b"), ("finetune", "c")):
        kubernetes.run_pod("run-id", stage, log)
    waiting = kubernetes.run_pod("run-id", "candidate", phase="Pending")
    kubernetes.run_pod("another", "finetune", "x")
    target = make_target(tmp_path)
    logs = list(read_logs(target, "run-id", None, {}))
    assert [(log.stage, log.text.strip()) for log in logs] == [
        ("preprocess", "a"),
        ("finetune", "b"),
        ("finetune", "c"),
        ("candidate", "(no log: its container has not started, or the pod is gone)"),
    ]
    assert [log.text.strip() for log in read_logs(target, "run-id", "finetune", {})] == ["b", "c"]
    for stage in ("quantize", "evaluate", "candidate"):
        assert [log.pod for log in read_logs(target, "run-id", stage, {})] == [waiting]


def test_of_a_search_the_rungs_tell_what_its_stages_did(
    tmp_path: Path, kubernetes: KubernetesServer
) -> None:
    rung = kubernetes.run_pod("run-id", "rung", "compress[prune80]: started")
    finalist = kubernetes.run_pod("run-id", "candidate", "quantize[int8]: started")
    kubernetes.run_pod("run-id", "finetune", "b")
    target = make_target(tmp_path)
    pods = {
        stage: [log.pod for log in read_logs(target, "run-id", stage, {})]
        for stage in ("compress", "rung", "quantize", "evaluate")
    }
    both = [rung, finalist]
    assert pods == {"compress": [rung], "rung": [rung], "quantize": both, "evaluate": both}


def test_of_a_rung_all_of_its_stages_are_kept() -> None:
    lines = (
        "compress[prune80]: started\ncompress[prune80]: finished status=computed seconds=9\n"
        "evaluate[prune80-int8 on validation]: started\n"
        "evaluate[prune80-int8 on validation]: finished status=computed seconds=3.1"
    )
    assert own_lines(f"{BEFORE}{lines}\n{AFTER}") == lines


def test_a_log_is_text_whatever_it_holds(tmp_path: Path, kubernetes: KubernetesServer) -> None:
    kubernetes.run_pod("run-id", "finetune", '{"a": 1}')
    (log,) = read_logs(make_target(tmp_path), "run-id", None, {})
    assert log.text == '{"a": 1}\n'


def test_drivers_that_failed_are_found(tmp_path: Path, kubernetes: KubernetesServer) -> None:
    kubernetes.run_pod("run-id", "preprocess-driver", "fine")
    kubernetes.run_pod("run-id", "preprocess", "done")
    kubernetes.run_pod("run-id", "finetune-driver", "two tasks", phase="Failed", exit_code=1)
    target = make_target(tmp_path)
    names = {
        stage: [log.stage for log in read_logs(target, "run-id", stage, {})]
        for stage in (None, "preprocess", "preprocess-driver", "finetune")
    }
    assert names == {
        None: ["preprocess", "finetune-driver"],
        "preprocess": ["preprocess"],
        "preprocess-driver": ["preprocess-driver"],
        "finetune": ["finetune-driver"],
    }


def test_the_command_shows_own_lines_unless_all_are_asked_for(
    tmp_path: Path, server: KfpServer, cluster: object, kubernetes: KubernetesServer
) -> None:
    run = start(cluster, "run-1")  # type: ignore[arg-type]
    kubernetes.run_pod(run.kfp_id, "finetune", f"{BEFORE}{OWN}")
    command = ["runs", "logs", "run-1", "finetune", "--target", write_target(tmp_path, server)]
    shown = CliRunner().invoke(app, command, catch_exceptions=False)
    assert OWN in shown.output and "launcher_v2.go" not in shown.output
    everything = CliRunner().invoke(app, [*command, "--all"], catch_exceptions=False)
    assert f"{BEFORE}{OWN}" in everything.output


def test_no_pods_and_no_kubeconfig_are_explained(
    tmp_path: Path, kubernetes: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_target(tmp_path)
    with pytest.raises(UserError, match="vision: has no pods of this run and prune"):
        list(read_logs(target, "run-id", "prune", {}))
    kubernetes.rules = []
    with pytest.raises(UserError, match="refused .403 .*pods/log in vision; by hand: kubectl logs"):
        list(read_logs(target, "run-id", "prune", {}))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(UserError, match="there is no kubeconfig here .*kubectl logs -n vision"):
        list(read_logs(target, "run-id", None, {"KUBECONFIG": str(tmp_path / "none")}))


def test_the_last_pod_tells_how_a_stage_ended(tmp_path: Path, kubernetes: KubernetesServer) -> None:
    pods = RunPods(make_target(tmp_path), "run-id", {})
    kubernetes.run_pod("run-id", "preprocess", "done")
    kubernetes.run_pod("run-id", "finetune", phase="Failed", reason="Error", exit_code=1)
    kubernetes.run_pod(
        "run-id", "finetune", "epoch 1\n\n", phase="Failed", reason="OOMKilled", exit_code=137
    )
    assert pods.end("finetune") == PodEnd("OOMKilled", 137, "epoch 1")
    assert pods.end("prune") is None
    assert pods.failed() == ("finetune",)
    kubernetes.run_pod("run-id", "benchmark", phase="Failed", reason="Evicted", exit_code=137)
    ended = pods.end("benchmark")
    assert ended is not None and ended.reason == "Evicted"


def test_where_kubernetes_cannot_be_asked_nothing_is_told(
    tmp_path: Path, kubernetes: KubernetesServer
) -> None:
    kubernetes.run_pod("run-id", "notify", "outcome")
    kubernetes.rules = []
    pods = RunPods(make_target(tmp_path), "run-id", {})
    assert (list(pods.logs("notify")), pods.end("notify"), pods.failed()) == ([], None, ())
