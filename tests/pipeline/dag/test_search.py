"""A search through the real DAG: again from the store, and by a run killed at five moments."""

import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from components.common.documents.ladder import Ladder
from pipeline.terminal.exit_codes import ExitCode
from tests.pipeline.local_runs import LocalRun, copy_code

pytestmark = [
    pytest.mark.dag,
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.xdist_group("search"),  # The first search is made once.
]

RECIPE = """
name: small
data:
  sample: digits
  image_size: 16
  channels: 1
  encoding: png
  splits: {train: 0.55, validation: 0.15, test: 0.30}
train: {backbone: small_cnn, width: 0.25, epochs: 4}
compress:
  search: {time_limit_s: 3000, rounds: 3, epochs: 4, trials: 6, finalists: 3}
quantize: {schemes: [float32, int8], compressed_schemes: [int8], calibration_examples: 20}
evaluate: {bootstrap_resamples: 100}
benchmark: {runs: 20, warmup_runs: 2}
budgets: {accuracy_drop: 0.1}
"""
MOMENTS = [
    ("compress", "task"),
    ("quantize", "driver"),
    ("propose", "worker"),
    ("compress", "worker"),
    ("evaluate", "task"),
]
"""In which stage a run dies, and who: the task's process, the command, or what runs the DAG."""


def start(folder: Path, data_root: Path, code: Path) -> LocalRun:
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE)
    environment = {"PYTHONPATH": str(code)}
    return LocalRun([str(recipe)], data_root=data_root, folder=folder, environment=environment)


def finish(run: LocalRun) -> Ladder:
    assert run.wait(timeout=1500) in (ExitCode.OK, ExitCode.NOT_BLESSED), run.output()
    return Ladder.read(run.folder())


def way(ladder: Ladder) -> Ladder:
    """Returns a search without what differs between two computations of the same: the time."""
    trials = tuple(trial.model_copy(update={"training_s": 0.0}) for trial in ladder.trials)
    return ladder.model_copy(update={"trials": trials, "training_s": 0.0})


def winner(data_root: Path) -> bytes:
    (model,) = (data_root / "registry").rglob("model.tflite")
    return model.read_bytes()


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, which enters the keys."""
    return copy_code(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def found(code: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ladder]:
    """A data root in which a search has ended that nobody disturbed, and its ladder."""
    folder = tmp_path_factory.mktemp("search")
    return folder / "data", finish(start(folder, folder / "data", code))


def test_a_search_climbs_ranks_on_validation_and_proves_few(found: tuple[Path, Ladder]) -> None:
    data_root, ladder = found
    assert ladder.round == 4 and not ladder.proposals
    assert len(ladder.trials) > 2 and 1 <= len(ladder.finalists) <= 3
    (run,) = (path for path in (data_root / "runs").iterdir() if path.is_dir())
    tested = {path.stem for path in (run / "tasks").glob("evaluate*.json")}
    on_test = {name for name in tested if not name.endswith("on validation]")}
    assert on_test == {f"evaluate[{id_}]" for id_ in ("float32", *ladder.finalists)}
    assert f"evaluate[{ladder.trials[-1].candidates[0].candidate_id} on validation]" in tested
    assert winner(data_root)


def test_the_same_search_is_answered_from_the_store(
    found: tuple[Path, Ladder], code: Path, tmp_path: Path
) -> None:
    data_root, ladder = found
    before = winner(data_root)
    run = start(tmp_path, data_root, code)
    assert finish(run) == ladder
    computed = {task for task, status in run.statuses().items() if status == "computed"}
    always = {"validate", "gate", "report", "publish"}
    assert {task for task in computed if not task.startswith("propose[")} <= always
    assert winner(data_root) == before


def test_killed_at_five_moments_a_search_goes_on_to_the_same_winner(
    found: tuple[Path, Ladder], code: Path, tmp_path: Path
) -> None:
    data_root, ladder = found
    random, own = Random(14), tmp_path / "data"
    kept: set[str] = set()
    for stage, victim in MOMENTS:
        run = start(tmp_path, own, code)
        run.wait_for("started", stage, timeout=900)
        time.sleep(random.uniform(0, 2))
        kill(run, stage, victim)
        statuses = run.statuses()
        assert not {task for task in kept if statuses.get(task) == "computed"}
        kept |= {
            task
            for task, status in statuses.items()
            if status in ("computed", "cached") and task.startswith(("compress", "quantize"))
        }
    assert kept
    assert way(finish(start(tmp_path, own, code))) == way(ladder)
    assert winner(own) == winner(data_root)


def kill(run: LocalRun, stage: str, victim: str) -> None:
    if victim == "driver":
        run.process.kill()
    elif victim == "worker":
        run.kill_worker()
    else:
        for pid in run.started(stage).values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    run.wait(timeout=600)
    assert run.gone_within(10)
