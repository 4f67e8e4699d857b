"""A candidate in memory, which takes the data set's examples in turn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from components.common.lite.litert import Classifier


class FedCandidate:
    """A classifier that is fed what a device would feed.

    Args:
      model: the `.tflite` file.
      inputs: of one example each.
      threads: of each inference.

    Raises:
      LiteRTError: the model cannot be loaded.
    """

    def __init__(self, model: Path, inputs: Sequence[npt.NDArray[Any]], *, threads: int) -> None:
        self._classifier = Classifier(model, threads=threads)
        self._inputs = inputs

    def take(self, turn: int) -> None:
        """Takes an example; equal turns mean the same one for all candidates."""
        self._classifier.load(self._inputs[turn % len(self._inputs)])

    def invoke(self) -> None:
        """Runs the model on it."""
        self._classifier.invoke()
