"""What `runs show` says of a run, and of tasks that were not answered from the store."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.common.documents.record import TaskResult
from pipeline.cli.main import app
from pipeline.recipe import load_recipe
from pipeline.runs.folders import create_run
from tests.builders.artifacts import make_record


def test_runs_show_says_what_changed_since_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    reasons = {
        "preprocess": "",
        "compress[pruned]": "components/compress/stage.py changed",
        "quantize[int8]": "components/compress/stage.py changed",
        "benchmark": "what it reads changed",
    }
    run = create_run(
        load_recipe("digits"), data_root=str(tmp_path), registry=str(tmp_path), command=[]
    )
    (run.path / "tasks").mkdir()
    for task, reason in reasons.items():
        record = make_record(task.partition("[")[0], config={}, key=task)
        result = TaskResult(task=task, status="computed", seconds=1.0, record=record, reason=reason)
        (run.path / "tasks" / f"{task}.json").write_text(result.to_json())
    shown = CliRunner().invoke(app, ["runs", "show", "--data-root", str(tmp_path)])
    assert shown.exit_code == 0
    assert [line.strip() for line in shown.stdout.splitlines() if "computed anew" in line] == [
        "compress[pruned], quantize[int8]: computed anew: components/compress/stage.py changed",
        "benchmark: computed anew: what it reads changed",
    ]


def test_runs_show_gives_the_command_as_a_shell_takes_it(tmp_path: Path) -> None:
    command = ["litesmith", "run", "digits", "--data-root", f"{tmp_path}/{'my runs ' * 20}"]
    create_run(
        load_recipe("digits"), data_root=str(tmp_path), registry=str(tmp_path), command=command
    )
    shown = CliRunner().invoke(app, ["runs", "show", "--data-root", str(tmp_path)])
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("command: "))
    assert shlex.split(line.removeprefix("command: ")) == command
