"""The training pictures by which channels are scored and readers refitted."""

import numpy as np
import numpy.typing as npt

from components.common.tasks.calibration import read_calibration
from components.common.tasks.inputs import prepare_inputs
from components.common.training.session import Session


def read_training_pictures(session: Session, count: int) -> npt.NDArray[np.float32]:
    """Reads prepared pictures of the training split, the same to all workers.

    Args:
      session: of the training that follows.
      count: how many, of each class as many as can be; all, where there are fewer.

    Returns:
      float32 [n, height, width, channels].
    """
    assert session.storage is not None, "this session was opened without the data set's storage"
    pictures = read_calibration(
        session.manifest, session.storage, count=count, events=session.events
    )
    prepared: npt.NDArray[np.float32] = prepare_inputs(session.spec)(pictures, None).numpy()
    return prepared
