"""Locks in folders that others may write to."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.errors import UserError
from components.common.storage import ABSENT, LocalStorage, locks
from components.common.storage.locks import LockedError, hold_lock
from pipeline.runs.folders import data_root_alone, data_root_in_use

HOLDER = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A lock that another process holds."""
    path = tmp_path / "lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], **pipes) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield path
        holder.communicate(b"")


def test_a_lock_that_stays_held_is_named_after_a_stated_time(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER_S", 0.1)
    started = time.monotonic()
    with pytest.raises(LockedError, match=f"{held}: another process holds this lock"):
        with hold_lock(held, patience_s=0.3):
            pytest.fail("held by two")
    assert 0.3 <= time.monotonic() - started < 5
    assert capsys.readouterr().err == f"waiting for {held}, which another process has locked\n"


def test_a_lock_is_had_when_its_holder_ends(tmp_path: Path) -> None:
    release, entered = threading.Event(), threading.Event()

    def work() -> None:
        with hold_lock(tmp_path / "lock"):
            entered.set()
            release.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait(10)
    threading.Timer(0.2, release.set).start()
    with hold_lock(tmp_path / "lock", patience_s=10):
        assert release.is_set()
    thread.join()


def test_many_share_a_lock_and_one_has_it_alone(tmp_path: Path) -> None:
    with data_root_in_use(tmp_path), data_root_in_use(tmp_path):
        with pytest.raises(UserError, match="a run is going on there"), data_root_alone(tmp_path):
            pytest.fail("not alone")
    with data_root_alone(tmp_path):
        pass


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_a_lock_is_never_taken_through_what_is_no_file(tmp_path: Path, kind: str) -> None:
    victim, root = tmp_path / "victim", tmp_path / "data"
    victim.write_text("precious")
    places = (root / ".litesmith-lock", root / "runs" / ".lock")
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind == "folder":
            place.mkdir()
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to(victim if kind == "link" else tmp_path / "made")
    with pytest.raises(UserError, match=r"\.litesmith-lock: is a link, a folder or a device"):
        LocalStorage(str(root)).write("runs/a", b"", if_generation=ABSENT)
    for take in (data_root_in_use, data_root_alone):
        with pytest.raises(UserError, match=r"runs/\.lock: is a link, a folder or a device"):
            with take(root):
                pytest.fail("taken")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "made").exists()


def test_taking_a_lock_changes_nothing_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "runs" / ".lock"
    path.parent.mkdir()
    path.write_text("somebody's notes")
    with data_root_in_use(tmp_path):
        assert path.read_text() == "somebody's notes"
