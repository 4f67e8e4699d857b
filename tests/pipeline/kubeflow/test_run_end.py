"""How a run's end is told, whatever of it can be read from here."""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from components.common.documents.evaluation import Estimate
from components.common.documents.outcome import CandidateSummary, Outcome, RunResults, TaskSummary
from components.common.documents.record import Receipt, TaskResult
from components.common.documents.release import Published
from components.common.run_context import RunContext
from components.common.runs.outcomes import describe_outcome, find_outcome, outcome_lines
from components.notify import stage as notify
from components.notify.config import NotifyConfig
from pipeline.cli.main import app
from pipeline.kubeflow.ci import CiSummary, summarize
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.kubeflow.cluster_view import show_end
from pipeline.kubeflow.pods import RunPods
from pipeline.kubeflow.run_end import read_end
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.targets import make_target
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubernetes_server import KubernetesServer
from tests.pipeline.kubeflow.left_runs import leave_run
from tests.pipeline.kubeflow.submitting import RECIPE, start, write_target


def finish(cluster: Cluster, server: KfpServer, state: str, outcome: Outcome | None) -> ClusterRun:
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING")
    server.move(run.kfp_id, state, finetune=state)
    if outcome is not None:
        data = outcome.to_json().encode()
        run.context.data().write(f"runs/run-1/{Outcome.file_name}", data)
    return cluster.get(run.kfp_id)


def outcome_of(state: Any, verdict: Any, **changes: Any) -> Outcome:
    values = {"message": "so it is", "failed_task": None, **changes}
    return Outcome(run_id="run-1", state=state, verdict=verdict, **values)


def leave(context: RunContext, task: str, status: Any = "computed", **changes: Any) -> None:
    """Leaves a task's result in its run's folder."""
    result = TaskResult(task=task, status=status, seconds=1.0, **changes)
    name = f"{context.run_folder()}/tasks/{task}.json"
    context.data().write(name, result.to_json().encode())


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    with KubernetesServer().serving(tmp_path, monkeypatch) as server:
        yield server


def pods_of(run: ClusterRun, folder: Path) -> RunPods:
    return RunPods(make_target(folder), run.kfp_id, {})


# --- verdict and status -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        ("SUCCEEDED", outcome_of("succeeded", "blessed"), ExitCode.OK),
        ("SUCCEEDED", outcome_of("succeeded", "already_blessed"), ExitCode.OK),
        ("SUCCEEDED", outcome_of("succeeded", "not_blessed"), ExitCode.NOT_BLESSED),
        ("SUCCEEDED", outcome_of("succeeded", None), ExitCode.BAD_INPUT),
        ("FAILED", outcome_of("failed", None, failed_task="finetune"), ExitCode.STAGE_FAILED),
        ("FAILED", outcome_of("failed", None, user_error=True), ExitCode.BAD_INPUT),
        # The verdict was written, and the run failed after it.
        ("FAILED", outcome_of("succeeded", "blessed"), ExitCode.STAGE_FAILED),
        ("FAILED", outcome_of("interrupted", None), ExitCode.INTERRUPTED),
        ("SUCCEEDED", None, ExitCode.BAD_INPUT),
        ("FAILED", None, ExitCode.STAGE_FAILED),
    ],
)
def test_the_verdict_is_the_run_folders(
    cluster: Cluster, server: KfpServer, state: str, outcome: Outcome | None, code: ExitCode
) -> None:
    end = read_end(finish(cluster, server, state, outcome))
    assert end.code is code
    assert (end.unread != "") is (
        outcome is None or code is ExitCode.BAD_INPUT and state != "FAILED"
    )


def test_a_verdict_that_cannot_be_read_says_what_to_do(cluster: Cluster, server: KfpServer) -> None:
    end = read_end(finish(cluster, server, "SUCCEEDED", None))
    assert f"give read access to {cluster.target.data_root}" in end.message
    assert "holds no outcome of it" in end.unread


def test_a_run_that_failed_is_not_shown_as_blessed(cluster: Cluster, server: KfpServer) -> None:
    run = finish(cluster, server, "FAILED", outcome_of("succeeded", "blessed"))
    shown = io.StringIO()
    show_end(Console(file=shown, width=200), run, read_end(run))
    assert shown.getvalue().startswith("failed: finetune failed without a word")


def test_a_damaged_outcome_is_no_verdict(cluster: Cluster, server: KfpServer) -> None:
    run = finish(cluster, server, "SUCCEEDED", None)
    run.context.data().write(f"runs/run-1/{Outcome.file_name}", b"{")
    end = read_end(run)
    assert end.code is ExitCode.BAD_INPUT
    assert "outcome.json: is damaged" in end.unread


@pytest.mark.parametrize("command", [["submit", "--wait"], ["ci"]])
@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (None, ExitCode.BAD_INPUT),
        (outcome_of("succeeded", "not_blessed"), ExitCode.NOT_BLESSED),
        (outcome_of("succeeded", "blessed"), ExitCode.OK),
    ],
)
def test_submit_and_ci_end_alike(
    tmp_path: Path,
    server: KfpServer,
    kubernetes: KubernetesServer,
    command: list[str],
    outcome: Outcome | None,
    code: ExitCode,
) -> None:
    """The folder is out of reach: only the pods, of which notify's log may be there, tell."""
    server.autopilot = ("RUNNING", "SUCCEEDED")
    create = server.answer

    def answer(request: Any) -> Any:
        answered = create(request)
        if outcome is not None and not kubernetes.pods and server.runs:
            log = "\n".join(outcome_lines(outcome))
            kubernetes.run_pod(next(iter(server.runs)), "notify", log)
        return answered

    server.answer = answer  # type: ignore[method-assign]
    name, *options = command
    command = [name, "digits", "--tiny", "--target", write_target(tmp_path, server), *options]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == code, result.output


# --- one summary, two ways to it --------------------------------------------------------


def summary_both_ways(
    run: ClusterRun, context: RunContext, state: str, kubernetes: KubernetesServer, capsys: Any
) -> list[CiSummary]:
    """Lets notify tell of a folder, and reads that folder, and notify's log without it."""
    notify.run(
        state=state,
        failed_task="exit-handler-1",
        error="",
        config=NotifyConfig().to_json(),
        context=context.to_json(),
    )
    kubernetes.run_pod(run.kfp_id, "notify", capsys.readouterr().out)
    elsewhere = context.model_copy(update={"data_root": f"{context.data_root}/elsewhere"})
    pods = pods_of(run, Path(context.data_root))
    return [
        summarize("shapes", context, read_end(dataclasses.replace(run, context=place), pods))
        for place in (context, elsewhere)
    ]


def test_a_blessed_run_is_summarized_alike_from_its_folder_and_from_notifys_log(
    tmp_path: Path, cluster: Cluster, server: KfpServer, kubernetes: KubernetesServer, capsys: Any
) -> None:
    left = leave_run(tmp_path / "left", blessed_before=True)
    published = Published(verdict="blessed", version="v", uri="/models/v", message="int8 wins.")
    name = f"{left.context.run_folder()}/{Published.file_name}"
    left.context.data().write(name, published.to_json().encode())
    run = finish(cluster, server, "SUCCEEDED", None)
    here, there = summary_both_ways(run, left.context, "COMPLETE", kubernetes, capsys)
    assert here == there
    assert (there.verdict, there.exit_code, there.unread) == ("blessed", ExitCode.OK, "")
    assert len(there.tasks) == len(left.tasks)
    assert {row.candidate_id for row in there.candidates} == set(left.candidates)
    assert there.winner == "int8" and there.blessed_before is not None
    assert all(row.accuracy and row.size_bytes and row.latency_ms for row in there.candidates)


def test_a_users_mistake_is_bad_input_from_both(
    tmp_path: Path, cluster: Cluster, server: KfpServer, kubernetes: KubernetesServer, capsys: Any
) -> None:
    run = finish(cluster, server, "FAILED", None)
    leave(run.context, "preprocess")
    leave(run.context, "finetune", "failed", message="no weights", user_error=True)
    here, there = summary_both_ways(run, run.context, "FAILED", kubernetes, capsys)
    assert here == there
    assert (there.exit_code, there.message) == (ExitCode.BAD_INPUT, "no weights")
    assert [task.status for task in there.tasks] == ["computed", "failed"]


def test_a_long_outcome_passes_through_a_log_whose_lines_are_cut() -> None:
    """A log's runtime cuts at 16 KiB; between pieces stands what went to the other stream."""
    estimate = Estimate(value=0.912345678, low=0.9, high=0.95)
    candidates = tuple(
        CandidateSummary(
            candidate_id=f"pruned-{number}", accuracy=estimate, size_bytes=10**6,
            zipped_bytes=10**6, latency_ms=1.23456789, accepted=False, reason="é\u2028ß " * 200,
        )
        for number in range(40)
    )  # fmt: skip
    tasks = tuple(TaskSummary(task=f"evaluate[{n}]", status="cached", seconds=1) for n in range(80))
    results = RunResults(candidates=candidates, tasks=tasks)
    outcome = outcome_of("succeeded", "not_blessed", results=results)
    lines = list(outcome_lines(outcome))
    assert len(lines) > 2
    assert max(len(line.encode()) for line in lines) < 16 << 10
    first = list(outcome_lines(outcome_of("failed", None)))
    log = "\n".join([*first, *lines[:2], "W0101 a warning", "", *lines[2:], "done"])
    assert find_outcome(log) == outcome
    assert find_outcome("\n".join([*first, *lines[:-1]])) == outcome_of("failed", None)
    assert find_outcome("outcome 1/1: {}\noutcome 2/2: {}\noutcome 1/999: {") is None


# --- failures that leave no word --------------------------------------------------------


def fail(cluster: Cluster, server: KfpServer, **tasks: str) -> tuple[ClusterRun, Outcome]:
    """Fails a run whose tasks left nothing, and lets notify tell of it as on a cluster."""
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="SUCCEEDED")
    leave(run.context, "preprocess")
    server.move(run.kfp_id, "FAILED", **tasks)
    notify.run(
        state="FAILED",
        failed_task="exit-handler-1",
        error="",
        config=NotifyConfig().to_json(),
        context=run.context.to_json(),
    )
    data = run.context.data().read(f"runs/run-1/{Outcome.file_name}")
    return cluster.get(run.kfp_id), Outcome.parse(data)


def test_a_group_is_no_failed_task(cluster: Cluster, server: KfpServer) -> None:
    _, outcome = fail(cluster, server, finetune="FAILED")
    assert outcome.failed_task is None
    assert outcome.message.startswith("a stage failed: it left no message")


@pytest.mark.parametrize(
    ("reason", "exit_code", "words"),
    [
        (
            "OOMKilled",
            137,
            "its memory ran out (OOMKilled): give it more, `stages: {finetune: {mem",
        ),
        ("Evicted", 137, "Kubernetes says Evicted"),
        ("Error", 137, "it was killed (exit status 137), as when memory runs out"),
        ("Error", 1, "exit status 1, last words"),
    ],
)
def test_a_killed_stage_is_named_with_its_cause(
    tmp_path: Path,
    cluster: Cluster,
    server: KfpServer,
    kubernetes: KubernetesServer,
    reason: str,
    exit_code: int,
    words: str,
) -> None:
    run, _ = fail(cluster, server, finetune="FAILED")
    kubernetes.run_pod(
        run.kfp_id, "finetune", "last words", phase="Failed", reason=reason, exit_code=exit_code
    )
    end = read_end(run, pods_of(run, tmp_path))
    assert end.code is ExitCode.STAGE_FAILED
    assert end.message.startswith(f"finetune failed without a word: {words}")
    assert "`litesmith runs logs run-1 finetune --target ...`" in end.message


def test_a_killed_stage_is_named_without_its_pod(cluster: Cluster, server: KfpServer) -> None:
    run, _ = fail(cluster, server, finetune="FAILED")
    assert read_end(run).message.startswith("finetune failed without a word: its pod is gone")


def test_a_driver_that_failed_is_named_with_its_own_words(
    tmp_path: Path, cluster: Cluster, server: KfpServer, kubernetes: KubernetesServer
) -> None:
    run, _ = fail(cluster, server, **{"finetune-driver": "FAILED"})
    assert [(task.stage, task.describe()) for task in run.tasks] == [
        ("preprocess", "succeeded"),
        ("finetune-driver", "failed"),
    ]
    line = "F1125 15:12:40 main.go:127] KFP driver: connection refused"
    kubernetes.run_pod(run.kfp_id, "finetune-driver", line, phase="Failed", exit_code=1)
    end = read_end(run, pods_of(run, tmp_path))
    assert end.message.startswith(
        "finetune-driver failed, which is KFP's and prepares finetune: F1"
    )
    assert "submit again: what is finished is answered from the store" in end.message
    assert "retryStrategy" not in end.message


def test_a_dag_that_argo_began_again_names_the_setting(
    tmp_path: Path, cluster: Cluster, server: KfpServer, kubernetes: KubernetesServer
) -> None:
    """Notify's driver dies of the same, so that there is no outcome."""
    run = start(cluster, "run-1")
    server.move(run.kfp_id, "RUNNING", preprocess="SUCCEEDED", finetune="RUNNING")
    leave(run.context, "preprocess")
    line = server.begin_again(run.kfp_id)
    run = cluster.get(run.kfp_id)
    assert run.began_again
    told = read_end(run)
    kubernetes.run_pod(run.kfp_id, "preprocess-driver", line, phase="Failed", exit_code=1)
    assert "two tasks have the same task name" in read_end(run, pods_of(run, tmp_path)).message
    assert told.message.startswith("preprocess-driver failed")
    assert "give retryStrategy under templateDefaults in the ConfigMap" in told.message
    assert [task.task for task in told.outcome.results.tasks] == ["preprocess"]  # type: ignore[union-attr]


def test_a_driver_refused_by_its_own_second_attempt_names_the_setting(
    tmp_path: Path, cluster: Cluster, server: KfpServer
) -> None:
    run, _ = fail(cluster, server, **{"finetune-driver": "FAILED"})
    assert not run.began_again
    server._set_node(run.kfp_id, "finetune-driver(1)", "FAILED")
    assert "workflow-controller-configmap the limit 0" in read_end(cluster.get(run.kfp_id)).message


def test_where_kfp_tells_no_more_the_folder_or_the_pods_name_the_failed_task(
    tmp_path: Path, cluster: Cluster, server: KfpServer, kubernetes: KubernetesServer
) -> None:
    server.node_bytes = 300_000  # KFP tells of three nodes, and no more.
    run, _ = fail(cluster, server, finetune="FAILED")
    assert run.failed == ()
    kubernetes.run_pod(run.kfp_id, "finetune", phase="Failed", reason="OOMKilled", exit_code=137)
    assert (
        "finetune failed without a word: its memory"
        in read_end(run, pods_of(run, tmp_path)).message
    )
    (tmp_path / "data" / "runs" / "run-1" / Outcome.file_name).unlink()
    leave(run.context, "benchmark", "failed", message="no processor")
    end = read_end(run)
    assert (end.message, end.outcome and end.outcome.failed_task) == ("no processor", "benchmark")


@pytest.mark.parametrize(("state", "succeeded"), [("COMPLETE", True), ("FAILED", False)])
def test_notify_understands_a_clusters_words(tmp_path: Path, state: str, succeeded: bool) -> None:
    """KFP's exit handler is told the metadata store's state, which is not a run's."""
    context = make_target(tmp_path).context("run-1", RECIPE)
    receipt = Receipt(run_id="run-1", tasks=(), seconds=0.0)
    outcome = describe_outcome(
        context, receipt, state=state, failed_task="exit-handler-1", error=""
    )
    assert (outcome.state == "succeeded") is succeeded
