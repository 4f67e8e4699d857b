"""What a CI job is told of a run: status, JUnit XML, JSON and Markdown."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.common.documents.record import TaskResult
from components.common.errors import UserError
from components.common.runs.outcomes import describe_outcome, results_so_far
from components.common.runs.receipts import collect_receipt
from components.common.words.terminal import visible
from pipeline.cli.main import app
from pipeline.kubeflow.ci import (
    CiSummary,
    Outputs,
    summarize,
    summarize_refusal,
    to_junit,
    to_markdown,
)
from pipeline.kubeflow.run_end import RunEnd
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.fabricate import Fabricated, fabricate
from tests.builders.targets import make_target
from tests.fakes.kfp_server import KfpServer
from tests.fakes.kubernetes_server import KubernetesServer
from tests.pipeline.kubeflow.left_runs import keep, leave_outcome, leave_run


def summary_of(run: Fabricated, **changes: Any) -> CiSummary:
    values = {"code": ExitCode.OK, "message": "int8 wins", "verdict": "blessed", **changes}
    receipt = collect_receipt(run.context)
    outcome = describe_outcome(run.context, receipt, state="SUCCEEDED", failed_task="", error="")
    outcome = outcome.model_copy(update={"verdict": values["verdict"]})
    end = RunEnd(values["code"], values["message"], outcome)
    return summarize("shapes", run.context, end, link=values.get("link"))


# --- what is read ---------------------------------------------------------------------


def test_figures_are_read_from_the_store(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    results = results_so_far(run.context)
    assert [row.candidate_id for row in results.candidates] == list(run.candidates)
    for row in results.candidates:
        model, evaluation = (
            run.candidates[row.candidate_id].model,
            run.evaluations[row.candidate_id],
        )
        assert model is not None
        assert (row.size_bytes, row.zipped_bytes) == (model.size_bytes, model.zipped_bytes)
        assert row.accuracy == evaluation.metrics["accuracy"]
        assert row.latency_ms is not None
    assert len(results.tasks) == len(run.tasks)


def test_a_run_without_a_decision_has_tasks_alone(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    results = results_so_far(run.context)
    assert (results.winner, results.candidates) == (None, ())
    assert results.tasks


def test_a_pruned_store_leaves_gaps(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    shutil.rmtree(Path(run.context.data_root, "store", "evaluate"))
    rows = results_so_far(run.context).candidates
    assert all(row.accuracy is None and row.size_bytes is not None for row in rows)


# --- what is written ------------------------------------------------------------------


def test_the_table_compares_with_the_blessed_model(tmp_path: Path) -> None:
    run = leave_run(tmp_path, blessed_before=True)
    markdown = to_markdown(summary_of(run, link="https://kfp/#/runs/1"))
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert markdown.startswith("## litesmith shapes: blessed\n")
    assert len({line.count("|") for line in table}) == 1
    assert sum("**winner**" in line for line in table) == 1
    assert any(line.startswith("| blessed before: ") for line in table)
    assert "](https://kfp/#/runs/1)" in markdown
    assert len(table) == 2 + len(run.candidates) + 1


def test_junit_has_a_case_for_each_task_and_the_verdict(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    suite = ElementTree.fromstring(to_junit(summary_of(run)))[0]
    names = {case.get("name") for case in suite}
    assert names == {task.task for task in run.tasks} | {"verdict"}
    assert suite.get("tests") == str(len(run.tasks) + 1)
    assert suite.get("failures") == "0"


def test_a_failed_task_fails_in_junit(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    failed = TaskResult(task="gate", status="failed", seconds=1.0, message="it <broke>\n\x1b[0m")
    keep(run.context, "tasks/gate.json", failed)
    changes = {"code": ExitCode.STAGE_FAILED, "verdict": None, "message": "gate failed"}
    summary = summary_of(run, **changes)
    suite = ElementTree.fromstring(to_junit(summary))[0]
    failures = {case.get("name"): case.findtext("failure") for case in suite if len(case)}
    assert failures["gate"] == "it <broke>\n\\u001b[0m"
    assert failures["verdict"] == "gate failed"
    assert suite.get("failures") == "2"
    assert "- **gate** failed: it &lt;broke>" in to_markdown(summary)


def test_names_and_messages_of_others_are_text_in_every_file(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    name = "gate\x1b[2J\x9b\ud800\uffff|<b>](//evil)"
    summary = summary_of(run, message=HOSTILE, link="https://kfp/#/runs/1) [x](//evil")
    task = summary.tasks[0].model_copy(update={"task": name, "message": HOSTILE})
    task = task.model_copy(update={"status": "failed"})
    rows = [row.model_copy(update={"reason": HOSTILE}) for row in summary.candidates]
    rows[0] = rows[0].model_copy(update={"candidate_id": name, "accepted": False})
    changes = {"recipe": name, "tasks": (task,), "candidates": tuple(rows)}
    summary = summary.model_copy(update=changes)
    suite = ElementTree.fromstring(to_junit(summary))[0]
    assert suite[0].get("name") == visible(name)
    assert suite[0].findtext("failure") == visible(HOSTILE)
    markdown = to_markdown(summary)
    assert visible(markdown) == markdown
    assert "<" not in markdown and not re.search(r"(?<!\\)\]\((?!https)", markdown)
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


HOSTILE = "# \x1b]0;owned\x07 <img src=x>\n![a](//evil) | `code` \u202e"


def test_not_blessed_fails_the_verdict_alone(tmp_path: Path) -> None:
    run = leave_run(tmp_path, winner=None, verdict="not_blessed")
    summary = summary_of(run, code=ExitCode.NOT_BLESSED, verdict="not_blessed")
    assert "shapes: not blessed" in to_markdown(summary)
    assert ElementTree.fromstring(to_junit(summary))[0].get("failures") == "1"


def test_each_file_says_what_could_not_be_read(tmp_path: Path) -> None:
    run = leave_run(tmp_path)
    end = RunEnd(ExitCode.BAD_INPUT, "no verdict", None, "the tasks' times: <403>")
    summary = summarize("shapes", run.context, end)
    suite = ElementTree.fromstring(to_junit(summary))[0]
    (verdict,) = suite
    assert verdict.findtext("system-err") == "not read from here: the tasks' times: <403>"
    assert "- Not read from here: the tasks' times: &lt;403>" in to_markdown(summary)
    assert "0 tasks" not in to_markdown(summary)
    assert json.loads(summary.to_json())["unread"] == "the tasks' times: <403>"


def test_json_holds_the_figures(tmp_path: Path) -> None:
    run = leave_run(tmp_path, blessed_before=True)
    outputs = Outputs(json=tmp_path / "out" / "summary.json", junit=tmp_path / "out" / "junit.xml")
    outputs.write(summary_of(run))
    values = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (values["verdict"], values["winner"], values["exit_code"]) == ("blessed", "int8", 0)
    assert values["blessed_before"]["version"]


def test_the_step_summary_is_appended_to(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# before\n")
    Outputs(step_summary=page).write(summarize_refusal("shapes", "no data"))
    assert page.read_text().startswith("# before\n## litesmith shapes: bad input\n\nno data\n")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: can't be written"):
        Outputs(junit=tmp_path / "file" / "junit.xml").write(summarize_refusal("r", "m"))


# --- the command ----------------------------------------------------------------------


def run_ci(
    folder: Path, server: KfpServer, *options: str, target: Mapping[str, Any] | None = None
) -> tuple[Any, Path]:
    path = folder / "target.yaml"
    where = make_target(folder, server.host, **(target or {}))
    path.write_text(where.model_dump_json(exclude_none=True))
    command = ["ci", "digits", "--tiny", "--target", str(path)]
    command += ["--junit", str(folder / "junit.xml"), *options]
    return CliRunner().invoke(app, command), folder / "junit.xml"


@pytest.mark.parametrize(
    ("verdict", "code"), [("blessed", ExitCode.OK), ("not_blessed", ExitCode.NOT_BLESSED)]
)
def test_the_exit_status_is_the_verdicts(
    tmp_path: Path, server: KfpServer, verdict: str, code: ExitCode
) -> None:
    server.autopilot = ("RUNNING", "SUCCEEDED")
    leave_outcome(server, verdict)
    result, junit = run_ci(tmp_path, server)
    assert result.exit_code == code, result.output
    failures = ElementTree.fromstring(junit.read_text())[0].get("failures")
    assert failures == ("0" if code is ExitCode.OK else "1")
    assert f"## litesmith digits: {verdict.replace('_', ' ')}" in result.output


def test_a_failed_run_fails_the_job(tmp_path: Path, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "FAILED")
    result, _ = run_ci(tmp_path, server)
    assert result.exit_code == ExitCode.STAGE_FAILED


def test_a_run_that_is_lost_from_sight_is_reported_with_its_name(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server.answer

    def delete_first(request: Any) -> Any:
        for run_id in [*server.runs] if request.path.split("/")[-1] in server.runs else ():
            server.delete(run_id)
        return answer(request)

    monkeypatch.setattr(server, "answer", delete_first)
    result, junit = run_ci(tmp_path, server)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert "was deleted from" in junit.read_text() and "how the run ended" in junit.read_text()
    assert "Run [" in result.output and "/#/runs/details/" in result.output


def test_what_is_refused_is_reported_too(tmp_path: Path, server: KfpServer) -> None:
    result, junit = run_ci(tmp_path, server, "--set", "train.epochs=none")
    assert isinstance(result.exception, UserError)
    assert "train.epochs" in junit.read_text()
    assert not server.runs


def test_a_run_that_cannot_succeed_is_not_started(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/none")
    workers = {"stages": {"finetune": {"workers": 2}}, "service_account": "litesmith-runner"}
    with KubernetesServer(has_jobset=False).serving(tmp_path, monkeypatch):
        result, junit = run_ci(tmp_path, server, target=workers)
    assert isinstance(result.exception, UserError)
    assert "can't succeed as things stand\n  workers: no JobSet" in str(result.exception)
    assert "no JobSet" in junit.read_text()
    assert not server.runs


@pytest.mark.slow
def test_a_job_that_is_stopped_cancels_its_run(tmp_path: Path, server: KfpServer) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(make_target(tmp_path, server.host).model_dump_json(exclude_none=True))
    command = [sys.executable, "-m", "pipeline.cli.main", "ci", "digits", "--target", str(path)]
    job = subprocess.Popen(
        [*command, "--junit", str(tmp_path / "junit.xml")],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md")},
        stdout=subprocess.DEVNULL,
    )
    while server.count("GET .*/runs/") == 0 and job.poll() is None:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == ExitCode.TERMINATED
    (run,) = server.runs.values()
    assert run["state"] == "CANCELING"
    assert "run cancelled" in (tmp_path / "junit.xml").read_text()
    assert "digits: terminated" in (tmp_path / "page.md").read_text()


def test_ci_runs_in_one_place() -> None:
    result = CliRunner().invoke(app, ["ci", "digits"])
    assert "either --target TARGET or --local" in str(result.exception)


# --- examples to copy -----------------------------------------------------------------

DOCS = Path(__file__).parents[3] / "docs"


LITESMITH = "litesmith/.venv/bin/litesmith "  # Installed from a commit, beside the user's files.


def commands_of(value: Any) -> Iterator[str]:
    """Yields every litesmith command in a workflow file."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from commands_of(item)
    elif isinstance(value, str):
        yield from (line for line in value.splitlines() if line.startswith(LITESMITH))


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_commands_of_the_workflow_files_exist(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workflow = yaml.safe_load((DOCS / "ci" / name).read_text())
    commands = list(commands_of(workflow))
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command.split("||")[0])[1:]
        result = CliRunner().invoke(app, words)
        # The command line was understood: what is missing is the user's own file.
        assert isinstance(result.exception, UserError), (command, result.output)
        assert words[1 if words[0] == "ci" else 3] in str(result.exception)
