"""The whole DAG on this machine, with data root, store and registry in a bucket."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.documents.record import Record
from components.common.run_context import RunContext
from components.common.storage import Storage
from pipeline.runs.folders import RunFolder, find_run
from pipeline.terminal.exit_codes import ExitCode
from tests.fakes.fake_gcs import create_bucket, serve
from tests.pipeline.local_runs import LITESMITH

pytestmark = [pytest.mark.dag, pytest.mark.slow]

REUSED = {"preprocess", "finetune", "compress", "quantize", "evaluate", "benchmark"}
MEASURED = {"benchmark"}
"""Stages whose output is a measurement, another one in each computation."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with serve():
        yield create_bucket("models")


def run_digits(folder: Path, *, data_root: str, registry: str) -> RunFolder:
    """Runs the digits' tiny recipe on this machine; returns the run's folder."""
    arguments = ["digits", "--tiny", "--set", "budgets.accuracy_drop=0.05"]
    places = ["--data-root", data_root, "--registry", registry]
    done = subprocess.run(
        [LITESMITH, "run", *arguments, *places], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    return find_run(folder / data_root if "://" not in data_root else folder / "litesmith-data", "")


def context_of(run: RunFolder) -> RunContext:
    return run.describe().context


def entries(storage: Storage) -> dict[tuple[str, str], str]:
    """Returns the store's (stage, key) -> output digest."""
    records = (
        Record.parse(storage.read(blob.name))
        for blob in storage.list("store/")
        if blob.name.endswith("/record.json")
    )
    return {(record.stage, record.key): record.output_digest for record in records}


def statuses(run: RunFolder) -> dict[str, str]:
    return {result.task: result.status for result in run.tasks()}


def files(storage: Storage, suffix: str) -> dict[str, bytes]:
    return {
        blob.name: storage.read(blob.name)
        for blob in storage.list("")
        if blob.name.endswith(suffix)
    }


def test_a_bucket_gives_the_same_model_as_a_folder_bit_for_bit(bucket: str, tmp_path: Path) -> None:
    local = run_digits(tmp_path, data_root="data", registry="registry")
    cloud = run_digits(tmp_path, data_root=f"{bucket}/data", registry=f"{bucket}/registry")

    assert set(statuses(cloud).values()) == {"computed"}
    ours, theirs = context_of(cloud), context_of(local)
    mine, others = entries(ours.data()), entries(theirs.data())
    assert mine.keys() == others.keys(), "where the data lies enters no key"
    assert {stage for stage, _ in mine} == REUSED
    assert {stage for stage, key in mine if mine[stage, key] != others[stage, key]} <= MEASURED
    for kept in (".tfrecord", ".tflite"):
        there = files(ours.data(), kept)
        assert there and there == files(theirs.data(), kept)
    # A version is named by all that it holds, the latencies among it.
    models = [*files(ours.models(), ".tflite").values()]
    assert models and models == [*files(theirs.models(), ".tflite").values()]
    assert not (tmp_path / "gs:").exists()

    again = run_digits(tmp_path, data_root=f"{bucket}/data", registry=f"{bucket}/registry")
    cached = {task for task, status in statuses(again).items() if status == "cached"}
    assert {task.partition("[")[0] for task in cached} == REUSED
    outcome = again.outcome()
    assert outcome is not None and outcome.verdict == "already_blessed"
    assert again.report.is_file()
