"""Damaged, newer and strangers' files in data root and registry: every command goes on."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.common.digests import tree_digest
from components.common.documents.outcome import Outcome
from components.common.documents.record import TaskResult
from components.common.errors import UserError
from components.common.registry import Registry
from components.common.shell.store import Store
from components.common.storage import LocalStorage
from pipeline.cli.main import app
from pipeline.recipe import load_recipe
from pipeline.runs.folders import create_run
from tests.builders.artifacts import make_record
from tests.builders.releases import publish_and_bless

LISTINGS = ("runs list", "runs show", "cache list", "cache prune --dry-run", "models list")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two runs, an entry, a registry with two versions."""
    root = tmp_path_factory.mktemp("whole") / "data"
    recipe = load_recipe("digits", [], tiny=True)
    output = root.parent / "output"
    output.mkdir()
    (output / "file").write_text("content")
    record = make_record(
        "finetune", config={}, key="a" * 64, output_digest=tree_digest(output)
    ).model_copy(update={"libraries": {"tensorflow": "2.20.0"}})
    Store(LocalStorage(str(root))).put(record, output, lambda _: True)
    for _ in range(2):
        run = create_run(
            recipe, data_root=str(root), registry=str(root / "registry"), command=["litesmith"]
        )
        TaskResult(
            task="finetune",
            status="cached",
            seconds=1.0,
            record=record,
            other_libraries={"tensorflow": "2.21.0"},
        ).write(run.path / "tasks")
        Outcome(
            run_id=run.run_id, state="succeeded", verdict="blessed", message="", failed_task=None
        ).write(run.path)
    registry = Registry(LocalStorage(str(root / "registry")), "shapes")
    for data in (b"one", b"two"):
        publish_and_bless(registry, data)
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "data")


def command(root: Path, words: str) -> tuple[str, str, int]:
    """Runs a command; returns what it shows, what it complains of, and its status."""
    result = CliRunner().invoke(app, [*words.split(), "--data-root", str(root)])
    if isinstance(result.exception, UserError):
        return result.stdout, f"{result.stderr}error: {result.exception}", 2
    assert result.exception is None, f"{words}: {result.exception!r}"
    return result.stdout, result.stderr, result.exit_code


def kinds_of_json_files(root: Path) -> Iterator[Path]:
    """Yields the last file of each name, such as the latest run's own."""
    yield from {path.name: path for path in sorted(root.rglob("*.json"))}.values()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)


def renew(path: Path) -> None:
    path.write_text('{"schema_version":2,"later":true}')


def enlarge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(20 << 30)


@pytest.mark.parametrize("damage", [empty, cut, flip, renew, enlarge])
def test_listings_show_the_rest_and_name_the_damaged_file(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    for number, original in enumerate(kinds_of_json_files(whole)):
        root = shutil.copytree(whole, tmp_path / str(number))
        path = root / original.relative_to(whole)
        damage(path)
        complaints = ""
        for words in LISTINGS:
            _, said, status = command(root, words)
            complaints += said
            assert status == 0 or path.name == "run.json", words
        assert str(path) in complaints
        if damage is renew:
            assert "written by a newer litesmith" in complaints
        if path.name == "run.json":
            assert len(command(root, "runs list")[0].splitlines()) == 2  # A heading, one run.
        if path.name == "release.json":
            assert len(command(root, "models list")[0].splitlines()) == 2


def test_a_damaged_version_or_pointer_is_refused_where_it_is_needed(root: Path) -> None:
    registry = root / "registry" / "shapes"
    first, second = sorted(
        (registry / "versions").iterdir(), key=lambda path: (path / "model.tflite").read_bytes()
    )
    (first / "release.json").write_bytes(b"")
    _, said, status = command(root, "models rollback")
    assert (status, f"{first}/release.json: is empty" in said) == (2, True)
    (registry / "blessed.json").write_bytes(b"")
    for words in ("models rollback", "models show"):
        _, said, status = command(root, words)
        assert (status, "blessed.json: is empty" in said) == (2, True), words
    assert second.is_dir()


def test_a_file_that_a_version_should_have_is_named(root: Path) -> None:
    _, said, status = command(root, "models show")
    assert status == 2 and "dataset.json: is missing" in said


def test_what_file_managers_leave_is_no_entry_run_or_model(root: Path) -> None:
    before = [command(root, words) for words in LISTINGS]
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "registry" / "notes.txt").write_text("notes")
    assert [command(root, words)[1:] for words in LISTINGS] == [each[1:] for each in before]
    for number, words in enumerate(LISTINGS):
        if words.endswith("list") and not words.startswith("cache"):  # Sizes count the litter.
            assert command(root, words)[0] == before[number][0]


def test_runs_show_has_the_dag_s_order_however_the_files_came_here(root: Path) -> None:
    run = max((root / "runs").glob("*/run.json")).parent
    tasks = ["validate", "evaluate[int8]", "notify", "quantize[int8]", "quantize[float32]"]
    for task in tasks:
        result = TaskResult(task=task, status="computed", seconds=1.0)
        (run / "tasks" / f"{task}.json").write_text(result.to_json())
    shown, _, _ = command(root, "runs show")
    names = [line.split()[0] for line in shown.splitlines() if " computed   1 s " in line]
    assert names == ["validate", "quantize[float32]", "quantize[int8]", "evaluate[int8]", "notify"]


def test_runs_show_says_which_versions_made_what_it_answered(root: Path) -> None:
    shown, _, _ = command(root, "runs show")
    assert "made by tensorflow 2.20.0, this is 2.21.0: finetune" in shown
    assert "litesmith run --fresh" in shown
