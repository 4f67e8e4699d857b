"""Why a task was not answered from the store, told from its record and the one before."""

from typing import Any

import pytest

from components.common.documents.record import Record
from components.common.run_context import RunContext
from components.common.shell.misses import explain_miss, leave_record, recall_record
from tests.builders.artifacts import make_record

MODULES = {"components/common/training/training.py": "aa", "components/prune/stage.py": "bb"}
BEFORE: dict[str, Any] = {
    "key": "before",
    "config": {"epochs": 3, "weights": "/a/w.pth"},
    "inputs": {"dataset": "d1"},
    "identity": {"weights": "w1"},
    "modules": MODULES,
}


def record(**changes: Any) -> Record:
    values = {**BEFORE, **changes}
    more = {name: values.pop(name) for name in ("identity", "modules")}
    return make_record("prune", **values).model_copy(update=more)


def reason(now: Record, before: Record | None) -> str:
    return explain_miss(now, before, locations={"weights"})


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
    assert reason(record(key="now", **changes), record()) == expected


def test_under_the_same_key_the_store_itself_had_lost_it() -> None:
    changed = {"modules": {}, "inputs": {}}
    assert reason(record(**changed), record()) == "what the store held of it is gone or damaged"
    assert reason(record(key="now", **changed), None) == ""


def test_records_that_do_not_say_their_modules_are_not_compared_by_them() -> None:
    assert reason(record(key="now"), record(modules={})) == "its code changed"


def test_of_nested_values_the_ones_that_differ_are_named() -> None:
    def config(sparsity: float, shift: float | None) -> dict[str, Any]:
        augment = {"flip": True, "shift": shift} if shift else None
        step = {"kind": "prune", "settings": {"sparsity": sparsity, "augment": augment}}
        return {"steps": [{"kind": "other"}, step], "splits": [0.8, 0.2]}

    told = reason(record(key="now", config=config(0.4, 0.1)), record(config=config(0.5, 0.2)))
    assert told == (
        "steps.1.settings.augment.shift is 0.1, was 0.2; steps.1.settings.sparsity is 0.4, was 0.5"
    )
    told = reason(record(key="now", config=config(0.4, None)), record(config=config(0.4, 0.2)))
    assert "steps.1.settings.augment.flip is None, was True" in told


def test_what_is_long_is_cut() -> None:
    told = reason(record(key="now", config={"text": "x" * 10_000}), record(config={"text": ""}))
    assert len(told) < 100 and told.endswith("x ..., was ''")
    told = reason(record(key="now", modules={"x" * 10_000: "1"}), record())
    assert len(told) == 1000 and told.endswith("x ...")


def test_of_many_values_some_are_named() -> None:
    values = {f"value_{number}": number for number in range(8)}
    told = reason(record(key="now", config=values), record(config={}))
    assert told.startswith("value_0 is 0, was None; value_1 is 1, was None; ")
    assert told.endswith("value_4 is 4, was None; 3 more values changed")


def test_the_record_before_is_that_of_the_task_and_the_recipe(context: RunContext) -> None:
    assert recall_record(context, "prune") is None
    for number in range(2):
        leave_record(context, "prune", record(key=str(number)))
    leave_record(context, "quantize[int8]", record(key="another task's"))
    other = context.model_copy(update={"recipe_name": "other"})
    leave_record(other, "prune", record(key="another recipe's"))
    later = context.model_copy(update={"run_id": "later"})
    found = recall_record(later, "prune")
    assert found is not None and found.key == "1"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"stage": "prune"}'])
def test_a_damaged_record_explains_nothing(context: RunContext, text: bytes) -> None:
    context.data().write("latest/test/prune.json", text)
    assert recall_record(context, "prune") is None


@pytest.fixture
def context(tmp_path: Any) -> RunContext:
    return RunContext(run_id="run", recipe_name="test", data_root=str(tmp_path), registry="none")
