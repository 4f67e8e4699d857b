"""A task that is killed leaves no process behind, and its finished shards are kept."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.documents.dataset import DatasetManifest
from tests.benchmarks.photographs import write_photographs
from tests.components.preprocess.folders import files, last_result, preprocess

SCRIPT = """
import sys
from pathlib import Path
from tests.components.preprocess.folders import preprocess
preprocess(Path(sys.argv[1]), folder=sys.argv[2], **{values})
"""
VALUES = {"image_size": 512, "channels": 3, "shards": 8}


def children(pid: int) -> set[int]:
    """Returns the processes that a process has started, whichever of its threads did."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # It has ended.
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def is_running(pid: int) -> bool:
    """Tells whether a process is alive: nobody may be there to reap an orphan."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_kill_9_leaves_nothing_running_and_finished_shards_in_place(tmp_path):
    source = tmp_path / "source"
    write_photographs(source, 60, distinct=60, classes=3)
    command = [sys.executable, "-c", SCRIPT.format(values=VALUES), str(tmp_path), str(source)]
    task = subprocess.Popen(command)
    records = tmp_path / "data" / "shards"
    while not list(records.rglob("*.json")):
        assert task.poll() is None
        time.sleep(0.05)
    workers = children(task.pid)
    assert workers
    time.sleep(random.Random(7).uniform(0, 0.5))
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    manifest = preprocess(tmp_path, folder=str(source), **VALUES)
    kept = last_result(tmp_path).record.measurements["shards_kept"]
    assert 1 <= kept < 10
    assert manifest == preprocess(tmp_path / "undisturbed", folder=str(source), **VALUES)
    assert manifest == DatasetManifest.read(tmp_path / "dataset")
    assert files(tmp_path / "data" / "shards") == files(
        tmp_path / "undisturbed" / "data" / "shards"
    )
