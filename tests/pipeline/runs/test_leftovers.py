"""What killed commands leave behind, and that nothing of it stays, nor anything else goes."""

import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from components.common.errors import UserError
from components.common.storage import LocalStorage, beside
from pipeline.recipe import load_recipe
from pipeline.runs.folders import RunFolder, create_run
from pipeline.runs.leftovers import (
    HALF_WRITTEN_S,
    remove_half_written,
    remove_leftovers,
    scratch_folder,
)
from pipeline.terminal.exit_codes import ExitCode
from tests.pipeline.commands import LITESMITH, litesmith

HOLDING = """
import time
from pipeline.runs.leftovers import scratch_folder
with scratch_folder() as folder:
    (folder / "big").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def make_run(data_root: Path) -> RunFolder:
    run = create_run(
        load_recipe("digits", []),
        data_root=str(data_root),
        registry=str(data_root / "registry"),
        command=["run"],
    )
    (run.artifacts / "task").mkdir(parents=True)
    (run.artifacts / "task" / "output").write_bytes(bytes(500))
    return run


def test_temporary_files_of_killed_commands_go_and_those_of_living_ones_stay(
    temporary: Path, tmp_path: Path
) -> None:
    (temporary / "litesmith-others").mkdir()
    (temporary / "litesmith-link").symlink_to(tmp_path)
    (tmp_path / ".lock").touch()
    command = [sys.executable, "-c", HOLDING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert remove_leftovers(tmp_path / "data") == 0 and folder.is_dir()
        process.kill()
    assert folder.is_dir()
    assert remove_leftovers(tmp_path / "data", dry_run=True) >= 1000 and folder.is_dir()
    with scratch_folder() as own:
        assert remove_leftovers(tmp_path / "data") >= 1000
        assert own.is_dir()
    assert {path.name for path in temporary.iterdir()} == {"litesmith-others", "litesmith-link"}
    assert (tmp_path / ".lock").exists()


def test_artifacts_and_orders_of_runs_that_are_gone_go(temporary: Path, tmp_path: Path) -> None:
    gone, living = make_run(tmp_path), make_run(tmp_path)
    for run in (gone, living):
        (run.path / "orders" / "1").mkdir(parents=True)
        (run.path / "orders" / "1" / "00000.jsonl").write_bytes(bytes(30))
    foreign = tmp_path / "runs" / "foreign" / "artifacts"
    foreign.mkdir(parents=True)
    with living.lock():
        assert remove_leftovers(tmp_path, dry_run=True) == 530 and gone.artifacts.exists()
        assert remove_leftovers(tmp_path) == 530
    assert (gone.artifacts.exists(), living.artifacts.exists()) == (False, True)
    assert ((gone.path / "orders").exists(), (living.path / "orders").exists()) == (False, True)
    assert gone.describe() and foreign.exists()


def test_files_half_written_go_when_nobody_can_be_writing_them(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.write("store/prune/key/file", b"whole", if_generation=0)
    with beside(tmp_path / "store" / "prune" / "key" / "other") as fresh:
        fresh.write_bytes(bytes(70))
        old = fresh.with_name(fresh.name[:-1] + "x")
        old.write_bytes(bytes(300))
        for path in (old, tmp_path / ".litesmith-lock", tmp_path / "store/prune/key/file"):
            os.utime(path, (time.time() - HALF_WRITTEN_S - 1,) * 2)
        roots = (tmp_path, tmp_path / "store")
        assert remove_half_written(*roots, dry_run=True) == 300 and old.exists()
        assert remove_half_written(*roots) == 300 and not old.exists()
        assert fresh.exists()
    assert (tmp_path / ".litesmith-lock").exists()
    assert storage.read("store/prune/key/file") == b"whole"


def test_pruning_says_how_much_killed_commands_had_left(temporary: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_run(data)
    half = data / "registry" / "shapes" / ".litesmith-0"
    half.parent.mkdir(parents=True)
    half.write_bytes(bytes(1500))
    os.utime(half, (0, 0))
    for option, said in (["--dry-run"], "would remove"), ([], "removed"):
        done = litesmith("cache", "prune", "--data-root", str(data), *option, folder=tmp_path)
        assert done.returncode == ExitCode.OK
        assert said in done.stdout and "what killed commands had left: 2 kB" in done.stdout
        assert half.exists() == bool(option)


# --- ends ---------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["/proc/here", "/sys/here"])
@pytest.mark.parametrize("command", [["run", "digits"], ["cache", "prune"], ["models", "list"]])
def test_a_place_where_nothing_can_be_written_gets_a_sentence(
    root: str, command: list[str], tmp_path: Path
) -> None:
    if command[0] == "cache":
        root = str(Path(root).parent)
    done = litesmith(*command, "--data-root", root, folder=tmp_path)
    assert done.returncode in (ExitCode.OK, ExitCode.BAD_INPUT)
    assert done.returncode == ExitCode.OK or (root in done.stderr and "error:" in done.stderr)


def test_a_full_disk_gets_a_sentence_and_leaves_no_run_behind(tmp_path: Path) -> None:
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", LITESMITH]
    done = subprocess.run(
        [*limited, "run", "digits", "--data-root", str(tmp_path / "data")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitCode.BAD_INPUT
    assert "can't be written to" in done.stderr and "Traceback" not in done.stderr
    assert list((tmp_path / "data" / "runs").glob("2*")) == []


def test_no_room_for_temporary_files_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    assert remove_leftovers(tmp_path) == 0
    with pytest.raises(UserError, match="TMPDIR"), scratch_folder():
        pass


@pytest.mark.dag
def test_a_run_whose_terminal_hangs_up_ends_with_an_outcome(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(LITESMITH, [LITESMITH, "run", "digits", "--data-root", str(tmp_path)])
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("runs/*/logs/events.jsonl")) and time.monotonic() < deadline:
        os.read(terminal, 1)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == ExitCode.TERMINATED
    (folder,) = (path.parent for path in tmp_path.glob("runs/*/run.json"))
    assert RunFolder(folder).state() == "interrupted"
    assert not (folder / "artifacts").exists()
