"""`litesmith models`, on versions that the gate and publish really made."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from components.common.digests import tree_digest
from components.common.documents.record import TaskResult
from components.common.errors import UserError
from components.common.registry import Registry
from components.common.storage import LocalStorage
from components.gate import stage as gate
from components.gate.config import GateConfig
from components.publish import stage as publish
from components.publish.config import PublishConfig
from pipeline.runs.models import (
    ListedVersion,
    diff_versions,
    list_versions,
    open_model,
    roll_back,
    show_version,
)
from pipeline.terminal.model_views import details_view, diff_view, rollback_view, versions_table
from tests.builders.artifacts import make_record, write_measured_run
from tests.builders.releases import make_release, publish_and_bless
from tests.builders.synthetic import run_context


def release_run(folder: Path, run_id: str, *, model: bytes, examples: int, epochs: int) -> None:
    """Takes a run from benchmark to the registry."""
    context = run_context(folder, run_id=run_id)
    own = folder / run_id
    models = {"float32": b"float32" * 400, "int8": model}
    inputs: dict[str, Any] = write_measured_run(own, context, models, examples=examples)
    (own / "page.html").write_text("<html></html>")
    record = make_record(
        "finetune",
        config={"epochs": epochs, "optimizer": {"name": "adam"}},
        key=f"{epochs:064}",
        output_digest=tree_digest(own / "int8"),
        libraries={"tf-keras": "2.21.0"},
    )
    result = TaskResult(task="finetune", status="computed", seconds=1.0, record=record)
    context.data().write(f"runs/{run_id}/tasks/finetune.json", result.to_json().encode())
    gate.STAGE.run(
        **inputs,
        config=GateConfig(accuracy_drop=0.02, model_name="shapes").to_json(),
        context=context.to_json(),
        decision=own / "decision",
    )
    publish.STAGE.run(
        **inputs,
        decision=own / "decision",
        page=own / "page.html",
        config=PublishConfig(model_name="shapes").to_json(),
        context=context.to_json(),
        published=own / "published",
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a registry with two versions, the second one blessed."""
    folder = tmp_path_factory.mktemp("released")
    release_run(folder, "first", model=b"int8" * 100, examples=400, epochs=8)
    release_run(folder, "second", model=b"INT8" * 90, examples=420, epochs=9)
    return folder / "registry"


@pytest.fixture
def registry(released: Path) -> LocalStorage:
    return LocalStorage(str(released))


@pytest.fixture
def versions(registry: LocalStorage) -> tuple[str, str]:
    """Returns the first run's version and the second's."""
    by_run = {row.release.run_id: row.release.version for row in list_versions(registry)}
    return by_run["first"], by_run["second"]


def render(view: RenderableType, *, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_list_marks_the_blessed_version(registry, versions):
    rows = list_versions(registry)
    assert {row.release.version: row.blessed for row in rows} == {
        versions[0]: False,
        versions[1]: True,
    }
    lines = render(versions_table(rows)).splitlines()
    (line,) = [line for line in lines if "blessed" in line]
    for text in ("shapes", versions[1][:12], "int8", "95.0 % ±", "360 bytes", "1 ms"):
        assert text in line


def test_a_long_candidate_leaves_the_model_s_name_whole():
    release = make_release(b"model", candidate_id="cut75-prune75-int8-snap4-share")
    table = versions_table([ListedVersion(release, blessed=True)])
    lines = render(table, width=110).splitlines()
    assert lines[0].startswith("model ") and lines[1].startswith("shapes ")


def test_one_model_can_be_listed_alone(registry):
    assert len(list_versions(registry, "shapes")) == 2
    assert list_versions(registry, "another") == ()


def test_the_only_model_need_not_be_named(registry, tmp_path):
    assert open_model(registry).model_name == "shapes"
    with pytest.raises(UserError, match="another: .* has no such model .*shapes"):
        open_model(registry, "another")
    empty = LocalStorage(str(tmp_path))
    with pytest.raises(UserError, match="holds no model yet"):
        open_model(empty)
    for name in ("one", "two"):
        publish_and_bless(Registry(empty, name), b"model")
    with pytest.raises(UserError, match="name one by --model: one, two"):
        open_model(empty)


def test_show_takes_the_blessed_version_where_none_is_named(registry, versions):
    details = show_version(open_model(registry))
    assert (details.release.version, details.blessed) == (versions[1], True)
    text = render(details_view(details))
    for expected in (
        versions[1],
        "blessed",
        "360 bytes",
        "6 train, 3 validation, 420 test",
        "bar, cross, disc",
        "int8 is blessed",
        "finetune",
        details.uri,
    ):
        assert expected in text


def test_show_refuses_an_unknown_version(registry):
    with pytest.raises(UserError, match="no such version"):
        show_version(open_model(registry), "0" * 12)


def test_diff_finds_what_changed_and_nothing_else(registry, versions):
    diff = diff_versions(open_model(registry), *versions)
    figures = {change.name: change for change in diff.figures}
    assert (figures["size"].before, figures["size"].after) == ("400 bytes", "360 bytes")
    assert figures["size"].difference == "-10.0 %"
    assert figures["accuracy"].difference == "0.0 points"
    assert "top5_accuracy" not in figures, "of three classes"
    # The fixed source fingerprint and the splits but test are the same.
    assert [(c.name, c.before, c.after) for c in diff.dataset] == [
        ("records", "409", "429"),
        ("test examples", "400", "420"),
    ]
    assert [(c.name, c.before, c.after) for c in diff.config] == [("finetune.epochs", "8", "9")]
    assert [change.name for change in diff.recalls] == ["bar", "cross", "disc"]
    text = render(diff_view(diff))
    assert "finetune.epochs" in text and "-10.0 %" in text


def test_a_version_does_not_differ_from_itself(registry, versions):
    diff = diff_versions(open_model(registry), versions[0], versions[0])
    assert (diff.recalls, diff.dataset, diff.config) == ((), (), ())
    text = render(diff_view(diff))
    assert "no class changed" in text and "the same data" in text


def test_views_keep_markup_in_names_as_text(registry, versions):
    details = show_version(open_model(registry), versions[0])
    release = details.release.model_copy(update={"class_names": ("[red]bar[/red]", "[/]")})
    text = render(details_view(type(details)(**{**vars(details), "release": release})))
    assert "[red]bar[/red], [/]" in text


def test_rollback_blesses_the_version_before_and_back_again(tmp_path):
    model = Registry(LocalStorage(str(tmp_path)), "shapes")
    first, second = (publish_and_bless(model, data).version for data in (b"1", b"2"))
    pointer = roll_back(model)
    assert pointer.version == first
    assert f"version {first} (int8) is blessed now" in render(rollback_view(pointer))
    assert roll_back(model, second).version == second
    with pytest.raises(UserError, match="no such version"):
        roll_back(model, "f" * 12)
