"""Anybody's picture classifier: what its file says of itself, and its answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from components.common.documents.image import Fit
from components.common.errors import UserError
from components.common.lite.litert import LiteRTError, Runner
from components.common.lite.metadata import LINEAGE_FILE
from components.common.tasks.image.normalization import Normalization
from components.common.tasks.image.views import view_of
from components.tools.models import LABELS_BYTES, read_files, read_labels, read_model


class PictureClassifier:
    """A model that takes one picture and gives a score for each class; not shared by threads.

    Args:
      path: the `.tflite` file.
      fit: how a picture that is not square becomes one; None takes what the model's file states,
        or `crop`.
      normalization: of what a device has.

    Attributes:
      path: likewise.
      view: what it makes of a picture.
      labels: of its classes, if its file has them.
      classes: how many.

    Raises:
      UserError: the file is no such model.
    """

    def __init__(self, path: Path, *, fit: Fit | None, normalization: Normalization) -> None:
        self.path = path
        files = read_files(read_model(path))
        try:
            self._runner = Runner(path)
            if (len(self._runner.inputs), len(self._runner.outputs)) != (1, 1):
                raise ValueError("expected a model with one input and one output")
            shape = self._runner.inputs[0]["shape"]
            fit = fit or _stated_fit(files) or "crop"
            self.view = view_of(shape, fit=fit, normalization=normalization)
        except (LiteRTError, ValueError) as error:
            raise UserError(f"{path}: {error}") from error
        made = tuple(int(length) for length in self._runner.outputs[0]["shape"])
        self.classes = made[-1] if made else 0
        if len(made) != 2 or made[0] != 1 or self.classes < 2:
            raise UserError(f"{path}: expected scores of classes as output, found {made}")
        self.labels = read_labels(files, self.classes)

    def classify(self, data: bytes) -> npt.NDArray[np.float32]:
        """Returns the score of each class, float32 [classes], of a picture's file.

        Raises:
          PictureError: it can't be decoded.
          LiteRTError: the model can't be run.
        """
        self._runner.load([self.see(data)[np.newaxis]])
        self._runner.invoke()
        return np.asarray(self._runner.result()[0])

    def see(self, data: bytes) -> npt.NDArray[Any]:
        """Returns what the model is fed of a picture's file, [height, width, channels].

        Raises:
          PictureError: it can't be decoded.
        """
        fed: npt.NDArray[Any] = self._runner.store(self.view.see(data))[0]
        return fed


def _stated_fit(files: Mapping[str, bytes]) -> Fit | None:
    """Returns what a model of litesmith's says of how its pictures were fitted."""
    try:
        lineage = json.loads(files.get(LINEAGE_FILE, b"{}")[:LABELS_BYTES])
    except (ValueError, RecursionError):
        return None
    stated = lineage.get("fit") if isinstance(lineage, dict) else None
    return next((fit for fit in get_args(Fit) if fit == stated), None)
