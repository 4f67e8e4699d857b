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
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import run_stage
context = run_context(Path(sys.argv[1])).model_copy(update={{"beam_options": {options}}})
run_stage(context, Path(sys.argv[1], "dataset"), folder=sys.argv[2], **{values})
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


def begin(work: Path, source: Path, options: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    script = SCRIPT.format(values=VALUES, options=options)
    return subprocess.Popen([sys.executable, "-c", script, str(work), str(source)])


def kill(task: subprocess.Popen[bytes], records: Path, moment: float) -> set[int]:
    """Kills a task some time after it has made a shard; returns the processes it had started."""
    before = set(records.rglob("*.json"))
    while not set(records.rglob("*.json")) - before:
        assert task.poll() is None
        time.sleep(0.05)
    workers = children(task.pid)
    time.sleep(moment)
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    return workers


def shards_of(work: Path, manifest: DatasetManifest) -> dict[str, bytes]:
    """Returns the shards of a data set, their records and indexes."""
    folders = {
        shard.path.split("/")[1] for split in manifest.splits.values() for shard in split.shards
    }
    found = files(work / "data" / "shards")
    return {name: data for name, data in found.items() if name.partition("/")[0] in folders}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_kill_9_leaves_nothing_running_and_finished_shards_in_place(tmp_path):
    source = tmp_path / "source"
    write_photographs(source, 60, distinct=60, classes=3)
    moment = random.Random(7).uniform(0, 0.5)
    workers = kill(begin(tmp_path, source), tmp_path / "data" / "shards", moment)
    assert workers
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_a_data_set_that_grows_on_prism_is_the_same_after_kill_9(tmp_path, prism):
    source = tmp_path / "source"
    write_photographs(source, 40, distinct=40, classes=3)
    preprocess(tmp_path, folder=str(source), **VALUES)
    write_photographs(source / "class0" / "new", 20, distinct=20, classes=3, first_seed=40)
    moment = random.Random(8).uniform(0, 0.3)
    for process in kill(begin(tmp_path, source, prism), tmp_path / "data" / "shards", moment):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)  # Prism waits for another driver.
    task = begin(tmp_path, source, prism)
    assert task.wait() == 0
    manifest = DatasetManifest.read(tmp_path / "dataset")
    fresh = tmp_path / "undisturbed"
    assert manifest == preprocess(fresh, folder=str(source), **VALUES)
    assert shards_of(tmp_path, manifest) == shards_of(fresh, manifest)
