"""The training pictures by which channels are scored and readers refitted."""

import numpy as np
import numpy.typing as npt

from components.common.training.sampling import sample_inputs
from components.common.training.session import Session


def read_training_pictures(session: Session, count: int) -> npt.NDArray[np.float32]:
    """Reads prepared pictures of the training split, the same to all workers.

    Args:
      session: of the training that follows.
      count: how many, of each class as many as can be; all, where there are fewer.

    Returns:
      float32 [n, height, width, channels].
    """
    return np.concatenate([batch.numpy() for batch in sample_inputs(session, count)])
