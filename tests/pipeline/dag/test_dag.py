"""The whole DAG on small data: what is computed again, and what a killed run leaves.

All runs work on a copy of the code, so that a test can edit it, and on 700 examples in folders.
`finished` is a run that nobody disturbed; tests start from copies of its data root, in which
everything but validate and what follows the gate is answered by the store. What may depend on the
task runs for pictures and for texts.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from components.common.documents.record import TaskResult
from pipeline.terminal.exit_codes import ExitCode
from tests.pipeline.dag.workplaces import WORKS, Work, Workplace
from tests.pipeline.local_runs import LITESMITH, LocalRun

pytestmark = [pytest.mark.dag, pytest.mark.slow]

of_one_task = pytest.mark.parametrize("finished", ["pictures"], indirect=True)
"""Of tests that the task makes no difference to."""

ALWAYS_COMPUTED = {"validate", "gate", "report", "publish"}
"""They look at the blessed model, which changes outside the run."""
STAGES = (
    "preprocess", "validate", "finetune", "compress", "quantize", "evaluate", "benchmark",
    "gate", "report", "publish",
)  # fmt: skip


def deaths(work: Work) -> Iterator[tuple[str, str, float]]:
    """Yields a stage, who dies in it, and after which share of it, of a task's runs.

    A stage's own process dies in every stage, in runs of one task, and in those of the other the
    command's (driver) or the one that runs the DAG (worker), which know nothing of stages. The
    shares are stratified: each of twenty equal parts of [0, 0.8) has one.
    """
    random = Random(20_240)
    number = [*WORKS.values()].index(work)
    pairs = [(stage, of) for stage in range(len(STAGES)) for of in range(len(WORKS))]
    parts = random.sample(range(len(pairs)), len(pairs))
    for (stage, of), part in zip(pairs, parts, strict=True):
        share = 0.8 * (part + random.random()) / len(pairs)
        victim = "task" if stage % 2 == of else ("driver", "worker")[stage // 2 % 2]
        if of == number:
            yield STAGES[stage], victim, share


@pytest.fixture
def place(finished: Workplace, tmp_path: Path) -> Workplace:
    """A copy of the finished workplace, elsewhere."""
    return finished.copy(tmp_path, computed=True)


@pytest.fixture
def fresh(finished: Workplace, tmp_path: Path) -> Workplace:
    """The same without what was computed."""
    return finished.copy(tmp_path, computed=False)


def computed(run: LocalRun) -> set[str]:
    """Returns the tasks that were computed, beyond those that always are."""
    return {
        task for task, status in run.statuses().items() if status == "computed"
    } - ALWAYS_COMPUTED


# --- what is computed again ---------------------------------------------------------


def test_unchanged_work_elsewhere_is_all_answered_by_the_store(place: Workplace) -> None:
    shutil.move(place.given, place.folder / "moved")
    place.given.symlink_to("moved", target_is_directory=True)
    run = place.run()
    assert computed(run) == set()
    assert "already blessed" in run.output()


def test_a_changed_recipe_value_recomputes_what_depends_on_it(place: Workplace) -> None:
    assert computed(place.run(place.work.change)) == place.work.changed


@of_one_task
def test_edited_code_recomputes_its_stage(place: Workplace) -> None:
    place.edit("components/evaluate/assessment.py")
    run = place.run()
    assert computed(run) == {f"evaluate[{id_}]" for id_ in place.work.candidates}


@of_one_task
def test_edited_code_of_the_pipeline_recomputes_nothing(place: Workplace) -> None:
    place.edit("pipeline/recipe/recipe.py")
    place.edit("components/report/page.py")
    assert computed(place.run()) == set()


def test_a_changed_example_recomputes_everything_but_the_other_splits_shards(
    place: Workplace,
) -> None:
    shards = {path: path.stat().st_mtime_ns for path in place.shards()}
    first, second, *_ = sorted((place.given / "examples").rglob("*.*"))
    first.write_bytes(place.work.another(second.read_bytes()))
    run = place.start()
    run.wait_for("finished", "finetune")
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == ExitCode.TERMINATED
    assert run.gone_within(0.1)
    assert computed(run) >= {"preprocess", "finetune"}
    assert {path: path.stat().st_mtime_ns for path in shards} == shards
    assert 1 <= len(set(place.shards()) - set(shards)) <= 2


@of_one_task
def test_a_damaged_artifact_is_noticed_and_made_again(place: Workplace) -> None:
    before = place.models()
    name = Random(7).choice(sorted(before))
    path = place.data_root / "store" / name
    damaged = bytearray(path.read_bytes())
    damaged[Random(8).randrange(len(damaged))] ^= 1
    path.write_bytes(damaged)
    run = place.run()
    assert len(computed(run)) == 1 and computed(run).pop().startswith("quantize[")
    assert place.models() == before


@of_one_task
def test_a_damaged_shard_is_noticed_and_made_again(place: Workplace) -> None:
    before = {path: path.read_bytes() for path in place.shards()}
    path, data = sorted(before.items())[0]
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert computed(place.run()) == {"preprocess"}
    assert path.read_bytes() == data


# --- runs that are stopped, killed, or not alone ------------------------------------


@pytest.mark.timeout(1500)
def test_killed_in_every_stage_a_run_goes_on_to_the_same_models_and_nothing_is_left(
    finished: Workplace, fresh: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = fresh.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    seconds = {}
    for path in (finished.data_root / "runs").glob("*/tasks/*.json"):
        result = TaskResult.parse(path.read_bytes())
        seconds[result.task.partition("[")[0]] = result.seconds
    kept: set[str] = set()
    for stage, victim, share in deaths(finished.work):
        run = fresh.start()
        run.wait_for("started", stage)
        time.sleep(share * seconds[stage])
        _kill(run, victim, stage)
        statuses = run.statuses()
        again = {task for task in kept if statuses.get(task) == "computed"}
        assert not again, f"{again} were finished, but computed again"
        kept |= {task for task in statuses if _is_kept(statuses, task)}
    run = fresh.run()
    assert computed(run) == set()
    assert fresh.models() == finished.models()
    assert fresh.blessed_model() == finished.blessed_model()
    assert list(temporary.iterdir()) == []
    assert list(fresh.data_root.glob("runs/*/artifacts")) == []
    for path in fresh.data_root.rglob(".litesmith-*"):
        os.utime(path, (0, 0))  # As it is hours later.
    assert _litesmith(fresh, "cache", "prune").returncode == ExitCode.OK
    assert {path.name for path in fresh.data_root.rglob(".litesmith-*")} <= {".litesmith-lock"}
    assert fresh.models() == finished.models()


def _kill(run: LocalRun, victim: str, stage: str) -> None:
    if victim == "driver":
        run.process.kill()
        run.wait()
        assert run.gone_within(2)
    elif victim == "worker":
        run.kill_worker()
        ends = (ExitCode.STAGE_FAILED, ExitCode.UNEXPECTED, ExitCode.OK, ExitCode.NOT_BLESSED)
        assert run.wait() in ends, run.output()
        assert run.gone_within(0.1)
    elif run.kill_task(stage):
        # The others end by themselves, and notify runs.
        assert run.wait() == ExitCode.STAGE_FAILED, run.output()
        assert f"{stage}" in run.output() and "was killed" in run.output()
        assert run.gone_within(0.1)
    else:  # It had ended already.
        assert run.wait() in (ExitCode.OK, ExitCode.NOT_BLESSED), run.output()


def _is_kept(statuses: dict[str, str], task: str) -> bool:
    return statuses[task] in ("computed", "cached") and task not in ALWAYS_COMPUTED


@of_one_task
def test_a_lost_task_is_told_of_while_its_siblings_go_on(place: Workplace) -> None:
    for stage in ("quantize", "evaluate"):
        shutil.rmtree(place.data_root / "store" / stage)
    run = place.start()
    run.wait_for("started", "quantize")
    while len(tasks := run.started("quantize")) < 2 and run.process.poll() is None:
        time.sleep(0.02)
    (lost, lost_pid), (sibling, sibling_pid), *_ = tasks.items()
    os.kill(sibling_pid, signal.SIGSTOP)
    try:
        os.kill(lost_pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while f"{lost}: failed after" not in run.output() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert f"{lost}: failed after" in run.output()
        assert run.process.poll() is None and sibling not in run.statuses()
    finally:
        os.kill(sibling_pid, signal.SIGCONT)
    assert run.wait() == ExitCode.STAGE_FAILED
    assert run.statuses()[sibling] == "computed"
    assert f"{lost} failed: its process was killed" in run.output()


@of_one_task
def test_interrupted_run_ends_at_once_and_leaves_no_process(fresh: Workplace) -> None:
    run = fresh.start()
    run.wait_for("started", "preprocess")
    run.process.send_signal(signal.SIGINT)
    # Half a second on an idle machine; left alone, the run takes far longer than this.
    assert run.wait(timeout=10) == ExitCode.INTERRUPTED
    assert run.gone_within(0.1)
    assert "interrupted" in run.output()
    outcome = (run.folder() / "outcome.json").read_text()
    assert '"state":"interrupted"' in outcome


@of_one_task
def test_two_runs_at_once_do_one_another_no_harm_and_pruning_waits(place: Workplace) -> None:
    before = place.models()
    for stage in ("evaluate", "benchmark"):
        shutil.rmtree(place.data_root / "store" / stage)
    runs = [place.start(), place.start()]
    runs[0].wait_for("started", "preprocess")
    pruned = _litesmith(place, "cache", "prune", "--keep-runs", "0")
    assert pruned.returncode == ExitCode.BAD_INPUT
    assert "a run is going on" in pruned.stderr
    for run in runs:
        assert run.wait() == ExitCode.OK, run.output()
        assert "already blessed" in run.output()
    assert place.models() == before


@of_one_task
def test_pruning_keeps_what_the_blessed_model_came_from(place: Workplace) -> None:
    before = place.models()
    would = _litesmith(place, "cache", "prune", "--keep-runs", "0", "--dry-run")
    assert place.models() == before
    assert "would remove" in would.stdout
    _litesmith(place, "cache", "prune", "--keep-runs", "0")
    assert len(place.models()) == 1
    assert list(place.models().values()) == [place.blessed_model()]
    assert len(place.shards()) > 0
    run = place.start()
    run.wait_for("finished", "finetune")
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == ExitCode.TERMINATED
    statuses = run.statuses()
    assert (statuses["preprocess"], statuses["finetune"]) == ("cached", "cached")


def _litesmith(place: Workplace, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LITESMITH, *arguments, "--data-root", str(place.data_root)],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(place.code)},
        capture_output=True,
        text=True,
    )
