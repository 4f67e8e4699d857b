"""A task that is killed leaves no process behind, and its finished shards are kept."""

import dataclasses
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from components.common.documents.dataset import DatasetManifest
from components.common.storage import is_half_written
from tests.benchmarks import kills
from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.preprocess import IN_PROCESSES
from tests.components.preprocess.folders import files, last_result, preprocess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]


def is_running(pid: int) -> bool:
    """Tells whether a process is alive: nobody may be there to reap an orphan."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_kill_9_leaves_nothing_running_and_finished_shards_in_place(tmp_path):
    source, records = tmp_path / "source", tmp_path / "data" / "shards"
    write_photographs(source, 60, distinct=60, classes=3)
    task = kills.begin(tmp_path, source)
    while not list(records.rglob("*.json")):
        assert task.poll() is None
        time.sleep(0.05)
    workers = kills.family(task.pid) - {task.pid}
    time.sleep(random.Random(7).uniform(0, 0.5))
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    assert workers
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    manifest = preprocess(tmp_path, folder=str(source), **kills.VALUES)
    kept = last_result(tmp_path).record.measurements["shards_kept"]
    assert 1 <= kept < 10
    assert manifest == preprocess(tmp_path / "undisturbed", folder=str(source), **kills.VALUES)
    assert manifest == DatasetManifest.read(tmp_path / "dataset")
    # What a killed worker was at lies half-written beside it, until `cache prune`.
    made = {
        name: data for name, data in files(records).items() if not is_half_written(Path(name).name)
    }
    assert made == files(tmp_path / "undisturbed" / "data" / "shards")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """What `kills` disturbs: a data set that has grown since it was preprocessed."""
    folder = tmp_path_factory.mktemp("kills")
    kills.prepare(folder)
    return folder


@pytest.mark.parametrize(
    ("runner", "victim", "seed"),
    [("FnApiRunner", "driver", 1), ("Prism", "driver", 2), ("Prism", "worker", 3)],
)
def test_a_data_set_that_grows_on_a_runner_is_the_same_after_kill_9(
    prepared, tmp_path, request, runner, victim, seed
):
    prism = runner == "Prism"
    options = (*request.getfixturevalue("prism"), kills.AS_PROCESS) if prism else IN_PROCESSES
    moment = dataclasses.replace(kills.draw_moment(victim, seed), shards=seed)
    happened = kills.disturb(prepared, tmp_path / "work", options, moment)
    assert happened.startswith(("killed", "ended", "waited"))  # It was under way.
