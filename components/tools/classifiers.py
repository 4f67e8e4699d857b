"""Anybody's picture classifier: what its file says of its input and its classes, and its answers.

A device has a picture's pixels, in [0, 255]. Models of litesmith take them as they are; others want
`(pixel - mean) / std`. Where the input is quantized, these real values are stored by its scale.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from components.common.documents.image import Fit
from components.common.errors import UserError
from components.common.lite.litert import LiteRTError, Runner
from components.common.tasks.image.preparation.pictures import prepare_picture
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.tasks.image.preparation.spec import PictureSpec
from components.tools.models import LABELS_BYTES, read_files, read_labels, read_model

_LINEAGE_FILE = "lineage.json"
_PICTURES = PictureSettings(encoding="png")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalization:
    """What the network wants of a pixel: `(pixel - mean) / std`."""

    mean: float = 0.0
    std: float = 1.0


class PictureClassifier:
    """A model that takes one picture and gives a score for each class; not shared by threads.

    Args:
      path: the `.tflite` file.
      fit: how a picture that is not square becomes one; None takes what the model's file states,
        or `crop`.
      normalization: of pixels.

    Attributes:
      path: likewise.
      labels: of its classes, if its file has them.
      classes: how many.
      spec: what every picture is made.

    Raises:
      UserError: the file is no such model.
    """

    def __init__(self, path: Path, *, fit: Fit | None, normalization: Normalization) -> None:
        self.path = path
        files = read_files(read_model(path))
        try:
            self._runner = Runner(path)
        except LiteRTError as error:
            raise UserError(f"{path}: {error}") from error
        if (len(self._runner.inputs), len(self._runner.outputs)) != (1, 1):
            raise UserError(f"{path}: expected a model with one input and one output")
        self._input = self._runner.inputs[0]
        self._normalization = normalization
        shape = tuple(int(length) for length in self._runner.outputs[0]["shape"])
        self.classes = shape[-1] if shape else 0
        if len(shape) != 2 or shape[0] != 1 or self.classes < 2:
            raise UserError(f"{path}: expected scores of classes as output, found {shape}")
        self.labels = read_labels(files, self.classes)
        self.spec = self._picture_spec(fit, _stated_fitting(files))

    def _picture_spec(self, fit: Fit | None, stated: Mapping[str, str]) -> PictureSpec:
        shape = tuple(int(length) for length in self._input["shape"])
        if len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or shape[3] not in (1, 3):
            raise UserError(
                f"{self.path}: expected a square picture with 1 or 3 channels as input, "
                f"1 × n × n × 3; found {shape}"
            )
        if not 8 <= shape[1] <= 2048:
            raise UserError(f"{self.path}: pictures of 8 to 2048 pixels are made, not {shape[1]}")
        changes: dict[str, Any] = {"image_size": shape[1], "channels": shape[3], **stated}
        settings = _PICTURES.model_copy(update=changes | ({"fit": fit} if fit else {}))
        return settings.picture_spec()

    def classify(self, data: bytes) -> npt.NDArray[np.float32]:
        """Returns the score of each class, float32 [classes], of a picture's file.

        Raises:
          PictureError: it can't be decoded.
          LiteRTError: the model can't be run.
        """
        picture = np.asarray(prepare_picture(data, self.spec).image)
        shape = self._input["shape"]
        self._runner.load([self.store(picture.reshape(shape))])
        self._runner.invoke()
        return np.asarray(self._runner.result()[0])

    def store(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Returns pixels as the model's input holds them."""
        dtype, (scale, zero_point) = np.dtype(self._input["dtype"]), self._input["quantization"]
        real = (pixels.astype(np.float32) - self._normalization.mean) / self._normalization.std
        if dtype.kind == "f":
            return real.astype(dtype)
        limits = np.iinfo(dtype)
        stored = np.round(real / (scale or 1.0)) + zero_point
        return np.asarray(np.clip(stored, limits.min, limits.max), dtype)


def _stated_fitting(files: Mapping[str, bytes]) -> dict[str, str]:
    """Returns what a model of litesmith's says of how its pictures were fitted."""
    try:
        lineage = json.loads(files.get(_LINEAGE_FILE, b"{}")[:LABELS_BYTES])
    except (ValueError, RecursionError):
        return {}
    stated = lineage if isinstance(lineage, dict) else {}
    return {"fit": stated["fit"]} if stated.get("fit") in get_args(Fit) else {}
