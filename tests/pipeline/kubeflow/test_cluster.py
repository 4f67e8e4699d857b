"""Submitting to Kubeflow Pipelines: kfp's own client against a server with its schema."""

import contextlib
import dataclasses
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import pytest
from rich.console import Console
from typer.testing import CliRunner

from components.common.documents.outcome import Outcome
from components.common.documents.record import TaskResult
from components.common.errors import UserError
from pipeline.cli.main import app
from pipeline.dag.compile import WORKFLOW_ID, compile_dag
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.kubeflow.cluster_view import open_cluster_view
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.explanations import UnansweredError
from pipeline.kubeflow.run_end import read_end
from pipeline.kubeflow.run_watch import RunWatch
from pipeline.stages import task_of
from pipeline.target import KubeflowTarget
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.targets import PRUNED, make_target
from tests.fakes.api_server import Refusal
from tests.fakes.certificates import write_certificate
from tests.fakes.kfp_server import KfpServer, check_model
from tests.fakes.kubectl import give_kubectl
from tests.pipeline.kubeflow.submitting import DAG, RECIPE, start, write_target


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the waits between attempts; how often is tried stays as it is."""
    monkeypatch.setattr("pipeline.kubeflow.cluster.WAITS_S", (0.0, 0.01, 0.01))
    monkeypatch.setattr("pipeline.kubeflow.transport.BACKOFF_S", 0.001)


# --- submitting -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_recipe_too_long_for_a_workflow_is_refused_before_anything_is_sent(
    cluster: Cluster, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.model_copy(update={"description": "word " * 420_000})
    context = cluster.target.context("run-1", recipe)
    with pytest.raises(UserError, match="the longest text is description, with 2,100,000 bytes"):
        cluster.submit(recipe, context, DAG)
    assert not [request for request in server.requests if not request.endswith("/healthz")]
    # What the server says of it sounds like an outage.
    monkeypatch.setattr("pipeline.recipe.parameters.MOST_BYTES", 1 << 30)
    with pytest.raises(UnansweredError, match=r"the server failed \(500"):
        cluster.submit(recipe, context, DAG)


def test_a_run_starts_with_the_recipe_as_parameters(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster, "run-1")
    started = server.runs[run.kfp_id]
    assert started["display_name"] == "run-1"
    assert started["runtime_config"]["parameters"]["finetune_config"] == RECIPE.train.to_json()
    assert server.experiments[started["experiment_id"]]["display_name"] == "digits"
    assert run.link == f"{server.host}/#/runs/details/{run.kfp_id}"
    assert run.context.run_id == "run-1"


def test_an_unchanged_dag_is_uploaded_once(cluster: Cluster, server: KfpServer) -> None:
    runs = [start(cluster) for _ in range(3)]
    assert len({run.kfp_id for run in runs}) == 3
    assert server.count("POST .*/upload_version") == 1
    (version,) = server.versions.values()
    assert version["display_name"] == DAG.version_name
    assert len(server.experiments) == len(server.pipelines) == 1


def test_another_dag_is_another_version_of_the_pipeline(
    cluster: Cluster, server: KfpServer, tmp_path: Path
) -> None:
    start(cluster)
    dag = compile_dag(compressions=PRUNED, target=make_target(tmp_path, machine={"cpu": "3"}))
    cluster.submit(RECIPE, cluster.target.context("run-2", RECIPE), dag)
    assert len(server.versions) == 2
    assert len(server.pipelines) == 1


def test_many_submit_at_once(target: KubeflowTarget, server: KfpServer) -> None:
    def submit(_: int) -> str:
        with connect(target, {}) as api:
            return start(Cluster(api, target)).kfp_id

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(submit, range(8)))
    assert len(runs) == len(server.runs) == 8
    assert len(server.versions) == len(server.pipelines) == len(server.experiments) == 1


WRITES = ("POST .*/pipelines$", "POST .*/upload_version", "POST .*/experiments", "POST .*/runs")


@pytest.mark.parametrize("fault", ["reset", "lost", "503", "500"])
@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_fails_is_done_once(
    cluster: Cluster, server: KfpServer, write: str, fault: Any
) -> None:
    server.fail(write, fault, fault)
    start(cluster, "run-1")
    things = (server.pipelines, server.versions, server.experiments, server.runs)
    assert [len(those) for those in things] == [1, 1, 1, 1]


def test_a_server_that_stays_down_is_named(cluster: Cluster, server: KfpServer) -> None:
    server.fail("POST .*/runs", *["503"] * 10)
    with pytest.raises(UnansweredError, match=r"the server failed \(503"):
        start(cluster)
    assert not server.runs


def test_reads_are_repeated(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    server.fail(f"GET .*/runs/{run.kfp_id}", "503", "reset", "429")
    assert cluster.get(run.kfp_id).state == "PENDING"


def test_the_server_refuses_what_is_not_in_the_schema() -> None:
    run = {"display_name": "r", "runtime_config": {"parameters": {}}}
    check_model(run, "V2beta1Run", "body")
    for wrong in ({**run, "pipeline": "p"}, {**run, "runtime_config": {"params": {}}}):
        with pytest.raises(Refusal, match="unknown field"):
            check_model(wrong, "V2beta1Run", "body")
    with pytest.raises(Refusal, match="not one of"):
        check_model({"mode": "ENABLED"}, "V2beta1RecurringRun", "body")


def test_parameters_that_do_not_fit_are_refused(cluster: Cluster) -> None:
    version = cluster.ensure_version(DAG)
    with pytest.raises(UserError, match=r"refused the request \(400: parameters: missing="):
        cluster.api.call(
            cluster.api.client.runs.run_service_create_run,
            run=kfp_server_api.V2beta1Run(
                display_name="r",
                experiment_id=cluster.ensure_experiment("e"),
                pipeline_version_reference=kfp_server_api.V2beta1PipelineVersionReference(
                    pipeline_id=version.pipeline_id,
                    pipeline_version_id=version.pipeline_version_id,
                ),
            ),
        )


# --- who may, and how it is reached ---------------------------------------------------


def test_a_token_lets_in(tmp_path: Path, server: KfpServer) -> None:
    server.token = "secret"
    target = make_target(tmp_path, server.host, auth={"kind": "token", "variable": "KFP_TOKEN"})
    with connect(target, {"KFP_TOKEN": "secret"}) as api:
        start(Cluster(api, target))
    with pytest.raises(UserError, match=r"\(401: .*the token in KFP_TOKEN is wrong or has"):
        with connect(target, {"KFP_TOKEN": "old"}):
            pass
    with pytest.raises(UserError, match="KFP_TOKEN: is not set"):
        with connect(target, {}):
            pass


def test_a_command_prints_tokens_anew(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token, file = "first", tmp_path / "token"
    file.write_text("first\n")
    auth = {"kind": "command", "command": ("cat", str(file))}
    target = make_target(tmp_path, server.host, auth=auth)
    with connect(target, {}) as api:
        file.write_text("second\n")
        start(Cluster(api, target))  # The first token is still good.
    monkeypatch.setattr("pipeline.kubeflow.credentials._TOKEN_USE_S", 0)
    server.token = "second"
    with connect(target, {}) as api:
        server.token = "third"
        file.write_text("third\n")
        start(Cluster(api, target))
        file.unlink()
        with pytest.raises(UserError, match="gave no token: cat: .*No such file"):
            start(Cluster(api, target))


def test_a_pods_own_token_is_read_anew(tmp_path: Path, server: KfpServer) -> None:
    server.token, file = "first", tmp_path / "token"
    file.write_text("first\n")
    auth = {"kind": "service_account", "file": str(file)}
    target = make_target(tmp_path, server.host, auth=auth)
    with connect(target, {}) as api:
        start(Cluster(api, target))
        server.token = "second"
        file.write_text("second\n")
        start(Cluster(api, target))
        file.unlink()
        with pytest.raises(UserError, match="can't be read .*mount the service account's token"):
            start(Cluster(api, target))


def test_no_token_says_how_to_give_one(target: KubeflowTarget, server: KfpServer) -> None:
    server.token = "secret"
    with pytest.raises(UserError, match="give the target a token: `auth:"):
        with connect(target, {}):
            pass


def test_a_namespace_that_one_may_not_use(tmp_path: Path, server: KfpServer) -> None:
    server.namespaces = frozenset({"vision"})
    with connect(make_target(tmp_path, server.host), {}) as api:
        start(Cluster(api, make_target(tmp_path, server.host)))
    other = make_target(tmp_path, server.host, namespace="audio")
    with connect(other, {}) as api:
        with pytest.raises(UserError, match="in the namespace audio, or there is no such.*403"):
            start(Cluster(api, other))


def test_an_unreachable_host(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UserError, match="can't be reached .*check the target's host"):
            with connect(make_target(tmp_path, host), {}):
                pass


def test_tls_is_verified(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    with KfpServer().serving(certificate) as server:
        with connect(make_target(tmp_path, server.host, ca_file=str(certificate)), {}) as api:
            assert api.server_version == server.version
        with pytest.raises(UserError, match="certificate is not trusted .*give its CA as `ca_fi"):
            with connect(make_target(tmp_path, server.host), {}):
                pass
        other = write_certificate(tmp_path / "other.pem")
        with pytest.raises(UserError, match="certificate is not trusted .*other.pem does not fit"):
            with connect(make_target(tmp_path, server.host, ca_file=str(other)), {}):
                pass


def test_a_ca_file_must_hold_certificates(tmp_path: Path, server: KfpServer) -> None:
    target = make_target(tmp_path, server.host, ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(UserError, match="ca_file: .* can't be read"):
        with connect(target, {}):
            pass
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UserError, match="holds no certificate"):
        with connect(target, {}):
            pass


def test_another_server_than_kfp(tmp_path: Path, server: KfpServer) -> None:
    target = make_target(tmp_path, f"{server.host}/elsewhere")
    with pytest.raises(UserError, match="may be older than KFP 2.0"):
        with connect(target, {}):
            pass


@pytest.mark.parametrize(("version", "warns"), [(kfp.__version__, False), ("2.4.1", True)])
def test_version_skew_is_said(
    target: KubeflowTarget, server: KfpServer, version: str, warns: bool
) -> None:
    server.version = version
    with connect(target, {}) as api:
        warning = api.version_warning()
    assert (warning is not None) is warns
    assert not warns or (warning is not None and "runs KFP 2.4.1" in warning)


def test_a_port_is_forwarded(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.host.removeprefix("http://")
    give_kubectl(tmp_path, monkeypatch, f"echo 'Forwarding from {address} -> 8888'; exec sleep 60")
    target = make_target(tmp_path, host=None, auth={"kind": "port_forward"})
    with connect(target, {}) as api:
        start(Cluster(api, target))
    assert len(server.runs) == 1


def test_a_forward_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = r"E1126 22:45:55.308 memcache.go:265] Unhandled Error\nerror: no such service"
    give_kubectl(tmp_path, monkeypatch, f"printf '{said}\n' >&2; exit 1")
    target = make_target(tmp_path, host=None, auth={"kind": "port_forward"})
    why = "port-forward failed: error: no such service; try it by hand: kubectl port-forward --add"
    with pytest.raises(UserError, match=why):
        with connect(target, {}):
            pass


# --- runs -----------------------------------------------------------------------------


def test_runs_are_listed_through_all_pages(cluster: Cluster, server: KfpServer) -> None:
    template = server.runs[start(cluster).kfp_id]
    for number in range(250):
        id_, created = f"id-{number:03d}", f"2027-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
        server.runs[id_] = {**template, "run_id": id_, "created_at": created}
    foreign = {"parameters": {"learning_rate": 0.1}}
    server.runs["foreign"] = {**template, "run_id": "foreign", "runtime_config": foreign}
    found = [run.kfp_id for run in cluster.runs()]
    assert len(found) == 251
    assert found[0] == "id-249"
    assert "foreign" not in found
    assert [run.kfp_id for run in cluster.runs(recipe="digits")] == found
    assert not list(cluster.runs(recipe="unknown"))
    with pytest.raises(UserError, match="is no run of litesmith"):
        cluster.get("foreign")


def test_a_run_is_found_by_either_id(cluster: Cluster) -> None:
    run = start(cluster, "run-1")
    assert cluster.find("run-1").kfp_id == cluster.find(run.kfp_id).kfp_id == run.kfp_id
    with pytest.raises(UserError, match="run-2: there is no such run"):
        cluster.find("run-2")


def test_a_run_is_followed_to_its_end(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    steps = iter(
        [
            lambda: server.move(run.kfp_id, "RUNNING", preprocess="RUNNING"),
            lambda: server.fail("GET .*/runs/", *["503"] * 12),
            lambda: server.move(run.kfp_id, "RUNNING", candidate="SUCCEEDED"),
            lambda: server.move(run.kfp_id, "RUNNING", candidate="FAILED"),
            lambda: server.move(run.kfp_id, "FAILED"),
        ]
    )
    seen = []

    def show(now: ClusterRun) -> None:
        seen.append((now.state, *(f"{task.stage}: {task.describe()}" for task in now.tasks)))
        next(steps)()

    end = cluster.follow(run.kfp_id, show=lambda now: None if now.is_over else show(now), poll_s=0)
    assert end.state == "FAILED"
    assert seen[0] == ("PENDING",)
    assert seen[1] == ("RUNNING", "preprocess: running")
    assert seen[-1][-1] == "candidate: 1 failed, 1 succeeded"


def test_a_run_is_cancelled_once(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    cluster.cancel(run)
    assert server.runs[run.kfp_id]["state"] == "CANCELING"
    server.move(run.kfp_id, "FAILED")  # So KFP 2.17 ends what was cancelled.
    with pytest.raises(UserError, match=r"is over \(canceled\)"):
        cluster.cancel(cluster.get(run.kfp_id))


def test_a_second_cancel_finds_the_first(
    tmp_path: Path, cluster: Cluster, server: KfpServer
) -> None:
    run = start(cluster, "run-1")
    assert cluster.cancel(run)
    assert not cluster.cancel(cluster.get(run.kfp_id))
    assert server.count("POST .*:terminate") == 1
    assert not cluster.cancel(run)  # As seen before the first.
    command = ["runs", "cancel", "run-1", "--target", write_target(tmp_path, server)]
    said = CliRunner().invoke(app, command, catch_exceptions=False)
    assert (said.exit_code, "is being cancelled already" in said.output) == (0, True)
    server.move(run.kfp_id, "FAILED")
    with pytest.raises(UserError, match=r"is over \(canceled\)"):
        cluster.cancel(run)


@pytest.mark.parametrize("notified", [False, True])
def test_ones_own_cancel_is_known_where_kfp_has_lost_it(
    cluster: Cluster, server: KfpServer, notified: bool
) -> None:
    server.agent_sees_cancel = False
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="SUCCEEDED")
    result = TaskResult(task="preprocess", status="computed", seconds=1.0)
    run.context.data().write("runs/run-1/tasks/preprocess.json", result.to_json().encode())
    told = Outcome(
        run_id="run-1", state="failed", verdict=None, message="no disk", failed_task="preprocess"
    )
    if notified:  # It was quicker than the cancel.
        run.context.data().write("runs/run-1/outcome.json", told.to_json().encode())
    cluster.cancel(run)
    server.move(run.kfp_id, "FAILED")
    ended = cluster.get(run.kfp_id)
    assert ended.state == "FAILED"
    end = read_end(ended)
    assert end.code is (ExitCode.STAGE_FAILED if notified else ExitCode.INTERRUPTED)
    if not notified:
        assert end.message == "the run was cancelled; what was finished is kept in the store"
        assert end.outcome is not None and len(end.outcome.results.tasks) == 1


def test_a_cancel_leaves_nothing_where_the_folder_is_elsewhere(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.cancel(start(cluster, "run-1"))
    assert not (tmp_path / "data").exists()


def test_who_follows_knows_of_a_cancel_that_kfp_forgets(
    cluster: Cluster, server: KfpServer
) -> None:
    server.agent_sees_cancel = False
    run = start(cluster)
    steps = iter([lambda: cluster.cancel(run), lambda: server.move(run.kfp_id, "FAILED")])
    end = cluster.follow(run.kfp_id, lambda now: next(steps, lambda: None)(), poll_s=0)
    assert end.state == "CANCELED"
    assert read_end(end).message.startswith("the run was cancelled")


def test_a_run_deleted_while_it_is_followed(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    with pytest.raises(UserError, match=r"was deleted from http.* while it was followed") as caught:
        cluster.follow(run.kfp_id, lambda now: server.delete(run.kfp_id), poll_s=0)
    assert "older than KFP" not in str(caught.value)


# --- where KFP tells no more ------------------------------------------------------------


def test_where_kfp_stands_still_the_folder_goes_on(
    cluster: Cluster, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kubeflow.run_watch.LAG_S", 0.0)
    server.node_bytes = 200_000  # Of five nodes KFP tells, and of no more.
    run = start(cluster, "run-1")

    def end(task: str) -> None:
        result = TaskResult(task=task, status="computed", seconds=1.0)
        run.context.data().write(f"runs/run-1/tasks/{task}.json", result.to_json().encode())
        if not task.startswith("quantize"):  # It is the first half of a candidate's task.
            server.move(run.kfp_id, "RUNNING", **{task_of(task.partition("[")[0]): "SUCCEEDED"})

    steps = iter(
        [
            lambda: server.move(run.kfp_id, "RUNNING", preprocess="RUNNING"),
            lambda: end("preprocess"),
            lambda: server.move(run.kfp_id, "RUNNING", finetune="RUNNING"),
            lambda: end("finetune"),
            lambda: end("quantize[int8]"),
            lambda: end("evaluate[int8]"),
            lambda: server.move(run.kfp_id, "SUCCEEDED"),
        ]
    )
    shown = io.StringIO()
    with open_cluster_view(Console(file=shown, width=200)) as show:

        def look(now: ClusterRun) -> None:
            show(now)
            next(steps, lambda: None)()

        last = cluster.follow(run.kfp_id, look, poll_s=0)
    assert [(task.stage, task.describe()) for task in last.tasks] == [
        (stage, "succeeded") for stage in ("preprocess", "finetune", "quantize", "evaluate")
    ]
    assert shown.getvalue().count("KFP tells no more") == 1
    assert "evaluate: succeeded" in shown.getvalue()


def test_a_long_task_is_not_taken_for_silence(
    cluster: Cluster, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="SUCCEEDED", finetune="RUNNING")
    result = TaskResult(task="preprocess", status="computed", seconds=1.0)
    run.context.data().write("runs/run-1/tasks/preprocess.json", result.to_json().encode())
    watch = RunWatch()
    monkeypatch.setattr("pipeline.kubeflow.run_watch.LAG_S", 0.0)
    for _ in range(3):
        assert watch.look(cluster.get(run.kfp_id)).note == ""
    monkeypatch.setattr("pipeline.kubeflow.run_watch.QUIET_S", 0.0)
    assert "KFP has told nothing new" in watch.look(cluster.get(run.kfp_id)).note


def test_a_folder_out_of_reach_is_not_asked_again(
    cluster: Cluster, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kubeflow.run_watch.LAG_S", 0.0)
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="RUNNING")
    run = cluster.get(run.kfp_id)
    nowhere = run.context.model_copy(update={"data_root": "gs://"})
    watch, patient = RunWatch(), RunWatch()
    assert watch.look(dataclasses.replace(run, context=nowhere)).note == ""
    assert patient.look(run).note == ""
    result = TaskResult(task="preprocess", status="computed", seconds=1.0)
    run.context.data().write("runs/run-1/tasks/preprocess.json", result.to_json().encode())
    assert watch.look(run).note == ""
    assert patient.look(run).note.startswith("KFP tells no more")


def test_a_run_that_ended_with_tasks_running_has_stood_still(
    cluster: Cluster, server: KfpServer
) -> None:
    server.node_bytes = 300_000
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="RUNNING")
    server.move(run.kfp_id, "RUNNING", preprocess="SUCCEEDED", validate="SUCCEEDED")
    server.runs[run.kfp_id]["run_details"]["task_details"][-1]["state"] = "RUNNING"
    server.move(run.kfp_id, "SUCCEEDED")
    ended = cluster.get(run.kfp_id)
    assert RunWatch().look(ended).note.startswith("KFP tells no more")
    assert RunWatch().look(dataclasses.replace(ended, state="CANCELED")).note == ""


def test_what_argo_leaves_out_is_skipped(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    unknown = "RUNTIME_STATE_UNSPECIFIED"
    server.move(run.kfp_id, "RUNNING", preprocess="RUNNING", validate=unknown)
    assert [task.describe() for task in cluster.get(run.kfp_id).tasks] == ["running", "pending"]
    server.move(run.kfp_id, "FAILED")
    assert [task.describe() for task in cluster.get(run.kfp_id).tasks] == ["running", "skipped"]


def test_of_two_runs_of_a_name_started_at_once_one_goes_on(
    target: KubeflowTarget, server: KfpServer
) -> None:
    start_together = threading.Barrier(2)

    def submit(_: int) -> str:
        with connect(target, {}) as api:
            runs = api.client.runs
            create = runs.run_service_create_run

            def create_together(**named: Any) -> Any:
                start_together.wait(30)  # Both have looked, and found none.
                created = create(**named)
                start_together.wait(30)
                return created

            runs.run_service_create_run = create_together
            return start(Cluster(api, target), "run-1").kfp_id

    server.clock_step = timedelta(0)  # KFP counts seconds, and both are of one.
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(submit, range(2))
    assert first == second
    states = {id_: run["state"] for id_, run in server.runs.items()}
    assert states.pop(first) == "PENDING"
    assert list(states.values()) == ["CANCELING"]


def test_a_single_user_kfp_has_one_namespace(
    target: KubeflowTarget, server: KfpServer, cluster: Cluster, tmp_path: Path
) -> None:
    (warning,) = cluster.api.warnings()
    assert "single-user KFP" in warning and "not in vision" in warning
    at_home = make_target(tmp_path, server.host, namespace="kubeflow")
    with connect(at_home, {}) as api:
        assert not list(api.warnings())
    server.namespaces = frozenset({"vision"})
    with connect(target, {}) as api:
        assert not list(api.warnings())


def test_the_server_moves_no_run_backwards(cluster: Cluster, server: KfpServer) -> None:
    run = start(cluster)
    server.move(run.kfp_id, "RUNNING")
    server.move(run.kfp_id, "SUCCEEDED")
    with pytest.raises(AssertionError):
        server.move(run.kfp_id, "RUNNING")


# --- the command line -----------------------------------------------------------------


def test_submit_and_wait_shows_the_run_to_its_end(tmp_path: Path, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "SUCCEEDED")
    target = write_target(tmp_path, server)
    command = ["submit", "digits", "--tiny", "--target", target, "--wait"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == ExitCode.BAD_INPUT, result.output  # There is no verdict to read.
    assert "run: succeeded" in result.output
    assert f"{server.host}/#/runs/details/" in result.output


def test_runs_of_the_cluster_are_shown(tmp_path: Path, server: KfpServer, cluster: Cluster) -> None:
    target, runner = write_target(tmp_path, server), CliRunner()
    run = start(cluster, "run-1")
    listed = runner.invoke(app, ["runs", "list", "--target", target], catch_exceptions=False)
    assert "run-1" in listed.output and run.kfp_id in listed.output
    shown = runner.invoke(app, ["runs", "show", "--target", target], catch_exceptions=False)
    assert "pending" in shown.output
    ended = runner.invoke(app, ["runs", "cancel", "run-1", "--target", target])
    assert ended.exit_code == 0
    assert server.runs[run.kfp_id]["state"] == "CANCELING"


def test_compile_writes_the_same_file_twice(tmp_path: Path, server: KfpServer) -> None:
    target = write_target(tmp_path, server)
    for name in ("a.yaml", "b.yaml"):
        command = ["compile", "digits", "--target", target, "-o", str(tmp_path / name)]
        assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "a.yaml").read_text() == (tmp_path / "b.yaml").read_text()
    assert not server.requests


def test_a_webhook_needs_its_secret(tmp_path: Path, server: KfpServer) -> None:
    target = write_target(tmp_path, server)
    command = ["submit", "digits", "--target", target, "--set", "notify.webhook_variable=HOOK"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, UserError)
    assert "the target gives notify no HOOK" in str(result.exception)


def test_vertex_needs_its_extra(tmp_path: Path) -> None:
    with contextlib.suppress(ImportError):
        import google.cloud.aiplatform  # noqa: F401

        pytest.skip("the extra is installed")
    example = Path(__file__).parents[3] / "docs" / "targets" / "vertex.yaml"
    result = CliRunner().invoke(app, ["submit", "digits", "--target", str(example)])
    assert "install requirements/vertex.lock" in str(result.exception)


def test_a_scheduled_runs_context_names_it(cluster: Cluster, server: KfpServer) -> None:
    context = cluster.target.context(WORKFLOW_ID, RECIPE)
    run = cluster.submit(RECIPE, context, DAG)
    assert run.context.run_id == run.kfp_id


def test_the_tasks_of_several_variants_are_one_stage(cluster: Cluster, server: KfpServer) -> None:
    """KFP numbers the tasks of one component, from the second on."""
    run = start(cluster)
    server.move(run.kfp_id, "RUNNING", **{"compress": "SUCCEEDED", "compress-2": "RUNNING"})
    (stage,) = cluster.get(run.kfp_id).tasks
    assert (stage.stage, stage.states) == ("compress", ("SUCCEEDED", "RUNNING"))
