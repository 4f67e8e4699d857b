"""Training examples to look at, beside a training: they teach nothing by themselves."""

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from components.common.tasks.calibration import read_calibration
from components.common.tasks.inputs import prepare_inputs
from components.common.tasks.reading import device_input, read_examples
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


def read_training_split(session: Session) -> Iterator[npt.NDArray[Any]]:
    """Yields every training example as a device has it, the same to all workers.

    Args:
      session: opened with the data set's storage.
    """
    assert session.storage is not None, "this session was opened without the data set's storage"
    examples = read_examples(session.manifest, "train", session.storage)
    yield from map(device_input(session.manifest), examples)
