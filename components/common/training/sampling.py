"""Training examples to look at before a training, which teach nothing by themselves."""

from collections.abc import Iterator
from typing import Any

from components.common.tasks.calibration import read_calibration
from components.common.tasks.inputs import prepare_inputs
from components.common.training.loop import EVALUATION_BATCH
from components.common.training.session import Session


def sample_inputs(session: Session, count: int) -> Iterator[Any]:
    """Yields training examples as a model sees them in use, the same to all workers.

    Args:
      session: opened with the data set's storage.
      count: how many, of each class as many as can be; all, where there are fewer.

    Yields:
      [n, ...], n at most EVALUATION_BATCH.
    """
    assert session.storage is not None, "this session was opened without the data set's storage"
    examples = read_calibration(
        session.manifest, session.storage, count=count, events=session.events
    )
    prepare = prepare_inputs(session.spec)
    for start in range(0, len(examples), EVALUATION_BATCH):
        yield prepare(examples[start : start + EVALUATION_BATCH], None)
