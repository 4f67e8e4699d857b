"""A model trained on for int8 within quantize: for few steps, whatever becomes of the task."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.models.bundles import load_bundle_model
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.shell.stage import Task
from components.common.training.checkpoints import Checkpoints
from components.common.training.resumption import Attempt
from components.quantize.config import CandidateConfig
from components.quantize.retraining import open_retraining, retrain_for_int8
from tests.builders.synthetic import LINEAGE
from tests.components.conftest import QUANTIZATION, TrainedModel
from tests.fakes.termination import Deadline

pytestmark = pytest.mark.slow


@pytest.fixture
def task(trained: TrainedModel, tmp_path: Path) -> Task[CandidateConfig]:
    return Task(
        name="quantize[int8]",
        config=QUANTIZATION.for_candidate("int8"),
        context=trained.context,
        inputs={"bundle": trained.dense, "dataset": trained.dataset},
        output=tmp_path,
        lineage=LINEAGE,
        events=Events("quantize[int8]", tmp_path / "events.jsonl"),
    )


def key(task: Task[CandidateConfig], digit: str) -> Task[CandidateConfig]:
    return dataclasses.replace(task, lineage=LINEAGE.model_copy(update={"key": digit * 64}))


def retrain(
    task: Task[CandidateConfig],
    trained: TrainedModel,
    *,
    steps: int,
    termination: Any = None,
) -> Any:
    """Trains for `steps` at most; until `termination` says that the process is to end."""
    session = open_retraining(task, trained.manifest, trained.bundle("dense"), steps=steps)
    if termination is not None:
        checkpoints = Checkpoints(trained.context.data(), f"{task.checkpoint_folder}/retraining")
        attempt = Attempt(checkpoints, termination=termination)
        session = dataclasses.replace(session, attempt=attempt)
    return retrain_for_int8(session, steps=steps)


@pytest.mark.parametrize(("allowed", "taken"), [(2, 2), (20, 16)])  # An epoch has at most eight.
def test_it_takes_no_more_steps_than_it_may(
    task: Task[CandidateConfig], trained: TrainedModel, allowed: int, taken: int
) -> None:
    model = retrain(key(task, str(taken % 10)), trained, steps=allowed)
    events = [json.loads(line) for line in (task.output / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if event.get("unit") == "steps"]
    assert (steps[-1]["done"], steps[-1]["total"]) == (taken, taken)
    before = load_bundle_model(trained.dense)
    moved = [
        np.abs(own - other).max()
        for own, other in zip(model.get_weights(), before.get_weights(), strict=True)
    ]
    assert 0 < max(moved) < 0.05


def test_one_that_was_told_to_end_goes_on(
    task: Task[CandidateConfig], trained: TrainedModel
) -> None:
    expected = retrain(key(task, "a"), trained, steps=16).get_weights()
    interrupted = key(task, "b")
    with pytest.raises(Terminated):
        # How many steps lie between two looks is a matter of time; the first is after few.
        retrain(interrupted, trained, steps=16, termination=Deadline(0))
    assert any(Path(trained.context.data_root, interrupted.checkpoint_folder).rglob("*"))
    found = retrain(interrupted, trained, steps=16).get_weights()
    # Everything is known to be done: nothing is trained a second time.
    rest = Deadline(None)
    retrain(interrupted, trained, steps=16, termination=rest)
    assert rest.seen == 0
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own, other)
