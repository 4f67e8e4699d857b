"""Why a task was not answered from the store, told from the records of two runs."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.common.documents.record import TaskResult
from pipeline.cli.main import app
from pipeline.recipe import load_recipe
from pipeline.runs.folders import create_run
from pipeline.runs.misses import explain_misses
from tests.builders.artifacts import make_record

MODULES = {"components/common/training/training.py": "aa", "components/prune/stage.py": "bb"}
BEFORE: dict[str, Any] = {
    "key": "before",
    "config": {"epochs": 3, "weights": "/a/w.pth"},
    "inputs": {"dataset": "d1"},
    "identity": {"weights": "w1"},
    "modules": MODULES,
}


def result(task: str = "prune", status: str = "computed", **changes: Any) -> TaskResult:
    values = {**BEFORE, **changes}
    more = {name: values.pop(name) for name in ("identity", "modules")}
    record = make_record(task.partition("[")[0], **values).model_copy(update=more)
    return TaskResult(task=task, status=status, seconds=1.0, record=record)  # type: ignore[arg-type]


def reason(now: TaskResult, *earlier: TaskResult) -> str | None:
    return dict(explain_misses([now], [[one] for one in earlier])).get(now.task)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"modules": {**MODULES, "components/common/training/training.py": "cc"}},
            "components/common/training/training.py changed",
        ),
        (
            {"modules": {"components/prune/stage.py": "bb", "components/new.py": "dd"}},
            "components/common/training/training.py and components/new.py changed",
        ),
        ({"config": {"epochs": 5, "weights": "/a/w.pth"}}, "epochs is 5, was 3"),
        ({"inputs": {"dataset": "d2"}}, "what it reads changed"),
        (
            {"config": {"epochs": 3, "weights": "/b/w.pth"}, "identity": {"weights": "w2"}},
            "weights changed",
        ),
        (
            {"inputs": {"dataset": "d2"}, "config": {"epochs": 4, "weights": "/a/w.pth"}},
            "epochs is 4, was 3; what it reads changed",
        ),
    ],
)
def test_what_differs_is_named(changes: dict[str, Any], expected: str) -> None:
    assert reason(result(key="now", **changes), result()) == expected


def test_only_what_was_computed_under_another_key_is_explained() -> None:
    changed = {"modules": {}, "inputs": {}}
    assert reason(result(**changed), result()) is None
    assert reason(result(status="cached", key="now", **changed), result()) is None
    assert reason(result(key="now", **changed)) is None
    assert reason(result(key="now", **changed), result("quantize[int8]")) is None


def test_the_latest_earlier_run_that_has_the_task_counts() -> None:
    now = result(key="now", inputs={"dataset": "d2"}, config={"epochs": 9})
    failed = TaskResult(task="prune", status="failed", seconds=1.0)
    cached = result(status="cached", key="later", config={"epochs": 9})
    assert reason(now, failed, cached, result()) == "what it reads changed"
    rare = result("quantize[int8]", key="now", config={"epochs": 9})
    older = [result(), result("quantize[int8]")]
    assert dict(explain_misses([now, rare], [[failed], [cached], older])) == {
        "prune": "what it reads changed",
        "quantize[int8]": "epochs is 9, was 3",
    }


def test_records_that_do_not_say_their_modules_are_not_compared_by_them() -> None:
    assert reason(result(key="now"), result(modules={})) == "its code changed"


def test_runs_show_says_what_changed_since_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    modules = {**MODULES, "components/prune/stage.py": "cc"}
    other = load_recipe("digits").model_copy(update={"name": "other"})
    runs = [
        (load_recipe("digits"), [result(), result("quantize[int8]")]),
        (other, [result(key="not of this recipe", modules={})]),
        (
            load_recipe("digits"),
            [
                result(key="now", modules=modules),
                result("quantize[int8]", key="now", modules=modules),
            ],
        ),
    ]
    for number, (recipe, tasks) in enumerate(runs):
        monkeypatch.setattr("secrets.token_hex", lambda _, number=number: f"{number:04d}")
        run = create_run(recipe, data_root=str(tmp_path), registry=str(tmp_path), command=[])
        (run.path / "tasks").mkdir()
        for task in tasks:
            (run.path / "tasks" / f"{task.task}.json").write_text(task.to_json())
    shown = CliRunner().invoke(app, ["runs", "show", "--data-root", str(tmp_path)])
    assert shown.exit_code == 0
    line = "prune, quantize[int8]: computed anew: components/prune/stage.py changed"
    assert line in shown.stdout.replace("quantize[int8], prune", "prune, quantize[int8]")
