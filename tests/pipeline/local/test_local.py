"""The local runner's parts: progress from events, views, run folders, the store's pruning."""

import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from components.common.digests import tree_digest
from components.common.documents.dataset import DatasetManifest, Shard, Split
from components.common.documents.evaluation import Estimate
from components.common.documents.near_copies import NO_NEAR_COPIES
from components.common.documents.outcome import CandidateSummary, Outcome, RunResults
from components.common.documents.record import Record, TaskResult
from components.common.documents.release import Ancestry
from components.common.errors import UserError
from components.common.registry import Registry
from components.common.shell.store import Store
from components.common.storage import open_storage
from pipeline.cli.main import app
from pipeline.recipe import load_recipe
from pipeline.runs.cache import list_entries, prune
from pipeline.runs.folders import (
    RunFolder,
    create_run,
    data_root_alone,
    data_root_in_use,
    find_run,
    list_runs,
)
from pipeline.runs.models import SHOWN_DIGITS
from pipeline.terminal.exit_codes import ExitCode
from pipeline.terminal.progress import RunProgress, expected_tasks
from pipeline.terminal.view import open_view, show_summary
from tests.builders.releases import make_release
from tests.builders.synthetic import run_context, write_dataset
from tests.fakes.fake_gcs import create_bucket, serve
from tests.pipeline.local_runs import LocalRun, copy_code

RECIPE = load_recipe("digits", tiny=True)


def make_run(data_root: Path) -> RunFolder:
    return create_run(
        RECIPE, data_root=str(data_root), registry=str(data_root), command=["litesmith"]
    )


def tell(run: RunFolder, task: str, event: str, **fields: object) -> None:
    with run.events.open("a") as file:
        file.write(json.dumps({"time": 100.0, "task": task, "event": event, **fields}) + "\n")


# --- progress -----------------------------------------------------------------------


def test_tasks_stand_in_the_order_of_the_dag() -> None:
    assert list(expected_tasks(RECIPE)) == [
        "preprocess", "validate", "finetune", "compress[pruned]",
        "quantize[float32]", "evaluate[float32]", "quantize[int8]", "evaluate[int8]",
        "quantize[pruned-int8]", "evaluate[pruned-int8]",
        "benchmark", "gate", "report", "publish", "notify",
    ]  # fmt: skip
    assert "compress[pruned]" not in expected_tasks(load_recipe("digits", ["prune=null"]))


def test_events_become_progress_and_a_line_under_way_is_left_for_later(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    progress = RunProgress(RECIPE, run.events)
    tell(run, "finetune", "started")
    tell(run, "finetune", "progress", done=3, total=9, unit="steps", note="loss 0.5")
    whole = json.dumps({"time": 103.0, "task": "finetune", "event": "finished"})
    with run.events.open("a") as file:
        file.write(whole[:20])
    assert [event for _, event in progress.update()] == ["started", "progress"]
    task = progress.tasks["finetune"]
    assert (task.status, task.describe_progress()) == ("running", "3 of 9 steps, loss 0.5")
    assert task.elapsed(now=107.0) == 7.0
    with run.events.open("a") as file:
        file.write(whole[20:-1] + ', "status": "cached", "seconds": 0.25}\n')
    assert progress.update() == [(task, "finished")]
    assert (task.status, task.elapsed(now=500.0)) == ("cached", 0.25)
    assert progress.running() == []


def test_a_task_whose_process_is_gone_is_lost_and_one_that_told_its_end_is_not(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path)
    progress = RunProgress(RECIPE, run.events)
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    for process, id_ in zip(processes, ("float32", "int8", "pruned-int8"), strict=True):
        tell(run, f"quantize[{id_}]", "started", pid=process.pid)
    progress.update()
    assert progress.take_note_of_lost("it was killed") == []
    for process in processes[:2]:
        process.kill()
        process.wait()
    tell(run, "quantize[int8]", "finished", status="computed", seconds=1.0)
    told = [(task.name, event) for task, event in progress.take_note_of_lost("it was killed")]
    assert told == [("quantize[int8]", "finished"), ("quantize[float32]", "failed")]
    lost = progress.failed()
    assert lost is not None and (lost.name, lost.message) == ("quantize[float32]", "it was killed")
    assert [task.name for task in progress.running()] == ["quantize[pruned-int8]"]
    processes[2].kill()
    processes[2].wait()


# --- views --------------------------------------------------------------------------


def draw(run: RunFolder, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, height=40)
    progress = RunProgress(RECIPE, run.events)
    with open_view(console, progress, title="digits") as view:
        view.update(progress.update())
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_plain_view_has_a_line_for_each_start_and_end(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    tell(run, "preprocess", "started")
    tell(run, "preprocess", "progress", done=1, total=9, unit="pictures", note="")
    tell(run, "preprocess", "finished", status="cached", seconds=0.5)
    tell(run, "finetune", "started")
    tell(run, "finetune", "failed", message="no [memory]", user_error=False)
    lines = [line[9:] for line in draw(run, terminal=False).splitlines()]
    assert re.fullmatch(r"finetune: failed after 0(\.\d+)? s", lines.pop())
    assert lines == [
        "digits",
        "preprocess: started",
        "preprocess: cached in 0.5 s",
        "finetune: started",
    ]


def test_live_view_shows_every_stage_and_candidate_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    tell(run, "preprocess", "started")
    tell(run, "preprocess", "finished", status="computed", seconds=61)
    tell(run, "quantize[int8]", "started")
    tell(run, "quantize[int8]", "finished", status="computed", seconds=3)
    tell(run, "evaluate[int8]", "started")
    tell(run, "evaluate[int8]", "progress", done=3, total=9, unit="examples", note="")
    tell(run, "finetune", "started")
    tell(run, "finetune", "failed", message="no [memory]", user_error=False)
    shown = draw(run, terminal=True)
    for words in ("1 min 1 s", "evaluate int8", "3 of 9 examples", "no [memory]", "publish"):
        assert words in shown
    assert "quantize int8" not in shown
    assert "quantize float32" in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_what_a_task_warns_of_is_shown_when_it_ends(tmp_path: Path, terminal: bool) -> None:
    run = make_run(tmp_path)
    tell(run, "validate", "started")
    for message in ("imbalance: ok has [1,020]", "not_square: 700 of 700"):
        tell(run, "validate", "warning", message=message)
    assert "warning:" not in draw(run, terminal=terminal)
    tell(run, "validate", "finished", status="computed", seconds=0.5)
    shown = draw(run, terminal=terminal)
    assert shown.count("imbalance: ok has [1,020]") == 1
    assert shown.count("not_square: 700 of 700") == 1


def test_summary_shows_each_candidate_and_the_verdict(tmp_path: Path) -> None:
    accuracy = Estimate(value=0.9512, low=0.93, high=0.97)
    rows = [
        CandidateSummary(
            candidate_id="int8", accuracy=accuracy, size_bytes=32_100, zipped_bytes=999,
            latency_ms=0.01234, accepted=True, reason="It is the smallest.",
        ),
        *(
            CandidateSummary(
                candidate_id=name, accuracy=None, size_bytes=None, zipped_bytes=None,
                latency_ms=None, accepted=False, reason="It could not be made.",
            )
            for name in ("float16", "dynamic_range")
        ),
    ]  # fmt: skip
    results = RunResults(winner="int8", candidates=tuple(rows))
    outcome = Outcome(
        run_id="run", state="succeeded", verdict="already_blessed", message="int8 wins.",
        failed_task=None, model="/models/int8", results=results,
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=80)
    show_summary(console, outcome, make_run(tmp_path))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "95.1 %",
        "93.0 % to 97.0 %",
        "32.1 kB",
        "999 bytes",
        "0.0123 ms  winner",
        "-  no",
        "\nint8: It is the smallest.\n",
        "\nfloat16, dynamic_range, each: It could not be made.\n",
        "already blessed: int8 wins.",
        "/models/int8",
    ):
        assert words in shown


# --- run folders --------------------------------------------------------------------


def test_state_of_a_run_is_told_by_its_lock_and_its_outcome(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with run.lock():
        assert run.state() == "running"
    assert run.state() == "interrupted"  # Killed: nobody wrote an outcome.
    Outcome(run_id=run.run_id, state="failed", verdict=None, message="", failed_task="prune").write(
        run.path
    )
    assert run.state() == "failed"


def test_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from pipeline.runs.folders import RunFolder\n"
        f"with RunFolder(Path({str(run.path)!r})).lock(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert run.state() == "running"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert run.state() == "interrupted"


def test_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    runs = [make_run(tmp_path) for _ in range(2)]
    assert {run.run_id for run in list_runs(tmp_path)} == {run.run_id for run in runs}
    assert find_run(tmp_path, runs[0].run_id).path == runs[0].path
    assert find_run(tmp_path, "").run_id == max(run.run_id for run in runs)
    with pytest.raises(UserError, match="several runs"):
        find_run(tmp_path, "2")
    with pytest.raises(UserError, match="no run"):
        find_run(tmp_path, "x")


def test_description_holds_the_whole_recipe(tmp_path: Path) -> None:
    description = make_run(tmp_path).describe()
    assert description.parse_recipe() == RECIPE
    assert description.versions["python"].startswith("3.")


# --- the store's pruning ------------------------------------------------------------


class Filled:
    """A data root with made-up entries, runs and a registry."""

    def __init__(self, place: str, folder: Path) -> None:
        self.place = place
        self.storage = open_storage(f"{place}/data")
        self.registry = open_storage(f"{place}/data/registry")
        self._folder = folder

    def keep(self, stage: str, key: str, *, shard: str | None = None) -> Record:
        output = self._folder / f"{stage}-{key}"
        if shard is None:
            output.mkdir()
            (output / "file").write_text(key)
        else:
            self._write_dataset(output, shard)
        record = Record(
            stage=stage, key=key, config={}, identity={}, inputs={}, code="", image="",
            libraries={}, output_digest=tree_digest(output), started="2026-01-02T03:04:05+00:00",
            seconds=1.0, peak_memory_bytes=1, measurements={},
        )  # fmt: skip
        Store(self.storage).put(record, output, lambda _: True)
        return record

    def _write_dataset(self, output: Path, shard: str) -> None:
        elsewhere = run_context(self._folder / "elsewhere")
        few: dict[Split, int] = {"train": 3, "validation": 3, "test": 3}
        manifest = write_dataset(elsewhere, output, examples=few)
        text = manifest.model_dump_json().replace("shards/synthetic/", f"shards/{shard}/")
        DatasetManifest.model_validate_json(text).write(output)
        self.storage.write(f"shards/{shard}/train-00000-of-00001.tfrecord", b"records")
        beside = Shard(
            path=f"shards/{shard}-beside/test.tfrecord", examples=1, size_bytes=7, crc32c=0
        )
        NO_NEAR_COPIES.model_copy(update={"shards": {"test": (beside,)}}).write(output)
        self.storage.write(beside.path, b"records")

    def run(self, run_id: str, record: Record) -> None:
        """Leaves what the tasks of a run leave, wherever they ran."""
        result = TaskResult(task=record.stage, status="cached", seconds=0.1, record=record)
        name = f"runs/{run_id}/tasks/{record.stage}.json"
        self.storage.write(name, result.to_json().encode())
        self.storage.write(f"runs/{run_id}/outcome.json", b"{}")

    def bless(self, *records: Record) -> None:
        models = Registry(self.registry, "shapes")
        ancestry = Ancestry(records=records).to_json().encode()
        release = models.publish(make_release(b"model"), b"model", {Ancestry.file_name: ancestry})
        models.bless(release, run_id="run", generation=models.blessed()[1])

    def prune(self, *, keep_runs: int, dry_run: bool = False) -> set[str]:
        pruned = prune(self.storage, self.registry, keep_runs=keep_runs, dry_run=dry_run)
        return {entry.key for entry in pruned.entries} | {item.name for item in pruned.shards}

    def keys(self) -> set[str]:
        return {entry.key for entry in list_entries(self.storage)}


@pytest.fixture(scope="module")
def gcs() -> Iterator[Iterator[str]]:
    """Yields names of fresh buckets on a real fake-gcs-server."""
    with serve():
        yield (create_bucket(f"cache-{number}") for number in itertools.count())


@pytest.fixture(params=["folder", "bucket"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    in_bucket = request.param == "bucket"
    place = next(request.getfixturevalue("gcs")) if in_bucket else str(tmp_path)
    filled = Filled(place, tmp_path)
    records = {
        key: filled.keep("preprocess", key, shard=f"shards-{key}")
        for key in ("blessed", "recent", "old")
    }
    filled.keep("finetune", "orphan")
    filled.bless(records["blessed"])
    # The ids of a cluster's scheduled runs do not sort by time.
    filled.run("b", records["old"])
    time.sleep(0.01)
    filled.run("a", records["recent"])
    return filled


def test_prune_keeps_what_blessed_models_and_the_latest_runs_refer_to(filled: Filled) -> None:
    gone = {"old", "orphan", "shards/shards-old", "shards/shards-old-beside"}
    assert filled.prune(keep_runs=1, dry_run=True) == gone
    assert filled.keys() == {"blessed", "recent", "old", "orphan"}
    assert filled.prune(keep_runs=1) == gone
    assert filled.keys() == {"blessed", "recent"}
    shards = {blob.name.split("/")[1] for blob in filled.storage.list("shards/")}
    kept = {"shards-blessed", "shards-recent"}
    assert shards == kept | {f"{name}-beside" for name in kept}
    assert filled.prune(keep_runs=0) == {
        "recent",
        "shards/shards-recent",
        "shards/shards-recent-beside",
    }


def test_entries_tell_size_age_and_last_use(filled: Filled) -> None:
    entries = {entry.key: entry for entry in list_entries(filled.storage)}
    assert entries["recent"].used is not None and entries["orphan"].used is None
    assert entries["orphan"].made == 1767323045.0
    assert entries["orphan"].size_bytes > len("orphan")


def test_what_a_killed_writer_left_is_pruned(filled: Filled) -> None:
    filled.storage.write("store/prune/half/digest/file", b"half")
    half = next(e for e in list_entries(filled.storage) if e.key == "half")
    assert half.made is None
    assert "half" in filled.prune(keep_runs=2)
    assert "half" not in filled.keys()


def test_what_work_that_was_given_up_has_left_is_pruned(tmp_path: Path) -> None:
    storage, registry = open_storage(str(tmp_path / "data")), open_storage(str(tmp_path / "models"))
    for key in ("given-up", "going-on"):
        for number in range(2):
            storage.write(f"checkpoints/finetune/{key}/{number}.npz", b"state")
            storage.write(f"launches/finetune/{key}/inputs/{number}/file", b"input")
            storage.write(f"runs/{key}/orders/{number}/00000.jsonl", b"order")
        storage.write(f"runs/{key}/tasks/preprocess.json", b"told")
    now = time.time()
    for path in tmp_path.glob("data/*/*/**/*"):
        days = 4 if "given-up" in path.parts or "0" in (path.stem, path.parent.stem) else 2
        os.utime(path, (now - days * 86400,) * 2)
    pruned = prune(storage, registry, keep_runs=2, dry_run=False)
    assert [(folder.name, folder.size_bytes) for folder in pruned.unfinished] == [
        ("checkpoints/finetune/given-up", 10),
        ("launches/finetune/given-up", 10),
        ("runs/given-up/orders", 10),
    ]
    left = {blob.name for blob in storage.list("")}
    assert len(left) == 8
    assert {name for name in left if "given-up" in name} == {"runs/given-up/tasks/preprocess.json"}


def test_what_only_spares_work_is_pruned_where_nothing_touched_it_for_a_month(
    tmp_path: Path,
) -> None:
    storage, registry = open_storage(str(tmp_path / "data")), open_storage(str(tmp_path / "models"))
    for age, days in (("old", 31), ("new", 29)):
        for name in (f"digests/{age}.jsonl", f"former/{age}.json", f"answers/{age}.npz"):
            storage.write(name, b"known")
            os.utime(tmp_path / "data" / name, (time.time() - days * 86400,) * 2)
    pruned = prune(storage, registry, keep_runs=2, dry_run=False)
    assert [hint.name for hint in pruned.hints] == [
        "digests/old.jsonl",
        "former/old.json",
        "answers/old.npz",
    ]
    assert pruned.size_bytes == 15
    left = [blob.name for blob in storage.list("")]
    assert left == ["answers/new.npz", "digests/new.jsonl", "former/new.json"]


def test_pruning_waits_for_no_run_and_runs_share(tmp_path: Path) -> None:
    with data_root_in_use(tmp_path), data_root_in_use(tmp_path):
        with pytest.raises(UserError, match="a run is going on"), data_root_alone(tmp_path):
            pass
    with data_root_alone(tmp_path):
        pass


def test_the_commands_take_folders_and_buckets(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ["--data-root", f"{filled.place}/data"]

    def litesmith(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, *root], catch_exceptions=False)
        assert result.exit_code == ExitCode.OK, result.output
        return result.output

    assert "3 entries" in litesmith("cache", "list")
    in_bucket = filled.place.startswith("gs://")
    litesmith("cache", "prune", "--keep-runs", "1")
    # In a bucket somebody else's run may just have written them.
    assert filled.keys() == {"blessed", "recent", *({"old", "orphan"} if in_bucket else ())}

    (version,) = [release.version for release in Registry(filled.registry, "shapes").releases()]
    assert version[:SHOWN_DIGITS] in litesmith("models", "list")

    if in_bucket:
        assert "no run under gs://" in litesmith("runs", "list")
        runs = tmp_path / "litesmith-data"
        address = f"{filled.place}/data"
        create_run(RECIPE, data_root=address, registry=f"{address}/registry", command=["run"])
        elsewhere = f"{filled.place}/other"
        create_run(RECIPE, data_root=elsewhere, registry=elsewhere, command=["run"])
        (run,) = [r for r in list_runs(runs) if r.describe().context.data_root == address]
        listed = litesmith("runs", "list")
        assert run.run_id in listed and listed.count("digits") == 1
        assert run.run_id in litesmith("runs", "show", run.run_id)


# --- runs that end early, in processes of their own ---------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder that holds no picture, but files enough for the budget."""
    for label in ("cat", "dog"):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for number in range(5):
            (folder / f"{number}.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


def start(pictures: Path, data_root: Path, *, code: Path | None = None) -> LocalRun:
    overrides = ["--set", f"data.folder={pictures}", "--set", "budgets.accuracy_drop=null"]
    return LocalRun(
        ["digits", "--tiny", *overrides],
        data_root=data_root,
        folder=pictures.parent,
        environment={"PYTHONPATH": str(code)} if code else {},
    )


@pytest.mark.dag
def test_refused_data_end_the_run_as_bad_input_with_the_message_alone(
    pictures: Path, tmp_path: Path
) -> None:
    run = start(pictures, tmp_path / "data")
    assert run.wait() == ExitCode.BAD_INPUT
    assert "error:" in run.output() and "reject" in run.output()
    assert "Traceback" not in run.output()
    assert RunFolder(run.folder()).state() == "failed"


@pytest.mark.dag
@pytest.mark.parametrize(
    ("file", "log"),
    [("shards.py", "logs/preprocess.log"), ("stage.py", "logs/kfp.log")],
    ids=["inside the shell", "before the shell"],
)
def test_failed_stage_is_shown_with_its_log_and_what_to_do(
    file: str, log: str, pictures: Path, tmp_path: Path
) -> None:
    code = copy_code(tmp_path / "code")
    with (code / "components" / "preprocess" / file).open("a") as source:
        source.write("\nraise RuntimeError('broken [code]')\n")
    run = start(pictures, tmp_path / "data", code=code)
    assert run.wait() == ExitCode.STAGE_FAILED
    shown = run.output()
    for words in ("preprocess failed", "RuntimeError: broken [code]", log, "finished stages are"):
        assert words in shown
    assert RunFolder(run.folder()).state() == "failed"
    assert not (run.folder() / "artifacts").exists()


@pytest.mark.dag
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a disk always full")
def test_a_full_disk_is_told_with_what_to_do_and_without_a_traceback(
    pictures: Path, tmp_path: Path
) -> None:
    code = copy_code(tmp_path / "code")
    with (code / "components" / "preprocess" / "shards.py").open("a") as source:
        source.write("\nPath('/dev/full').write_bytes(b'a shard')\n")
    run = start(pictures, tmp_path / "data", code=code)
    assert run.wait() == ExitCode.STAGE_FAILED
    shown = run.output()
    for words in ("preprocess failed", "Free some space", "finished stages are"):
        assert words in shown
    assert "Traceback" not in shown and "shards.py" not in shown


@pytest.mark.dag
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, ExitCode.TERMINATED),
    ],
)
def test_stopped_run_leaves_no_process(
    pictures: Path, tmp_path: Path, number: signal.Signals, code: ExitCode
) -> None:
    run = start(pictures, tmp_path / "data")
    folder = run.folder()
    assert _comes(lambda: len(run.children()) >= 1)
    run.process.send_signal(number)
    assert run.wait(timeout=10) == code
    assert run.gone_within(0.1)
    assert RunFolder(folder).state() == "interrupted"


@pytest.mark.dag
def test_killed_driver_takes_every_process_with_it(pictures: Path, tmp_path: Path) -> None:
    run = start(pictures, tmp_path / "data")
    run.folder()
    assert _comes(lambda: len(run.children()) >= 1)
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait()
    assert run.gone_within(10)


def _comes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
