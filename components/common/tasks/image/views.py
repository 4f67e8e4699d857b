"""How a model of anybody's sees a picture: made the size of its input, and normalized.

A device has a picture's pixels, in [0, 255]. Models of litesmith take them as they are; others want
`(pixel - mean) / std`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.image import Fit
from components.common.tasks.image.normalization import Normalization
from components.common.tasks.image.preparation.pictures import prepare_picture
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.tasks.image.preparation.spec import PictureSpec

_SMALLEST, _LARGEST = 8, 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What every picture is made before the model sees it."""

    spec: PictureSpec
    normalization: Normalization

    def see(self, data: bytes) -> npt.NDArray[np.float32]:
        """Returns a picture's file as the network wants it: float32 [1, height, width, channels].

        Raises:
          PictureError: it can't be decoded.
        """
        pixels = np.asarray(prepare_picture(data, self.spec).image, np.float32)
        pixels = pixels.reshape(1, *pixels.shape[:2], self.spec.channels)
        return (pixels - np.float32(self.normalization.mean)) / np.float32(self.normalization.std)


def view_of(shape: Sequence[int], *, fit: Fit, normalization: Normalization) -> View:
    """Returns how a model with an input of such a shape sees pictures.

    Raises:
      ValueError: it takes no pictures that are made here; says which are.
    """
    taken = tuple(int(length) for length in shape)
    if len(taken) != 4 or taken[0] != 1 or taken[1] != taken[2] or taken[3] not in (1, 3):
        raise ValueError(
            f"expected a square picture with 1 or 3 channels as input, 1 × n × n × 3; found {taken}"
        )
    if not _SMALLEST <= taken[1] <= _LARGEST:
        raise ValueError(
            f"pictures of {_SMALLEST} to {_LARGEST} pixels are made, not of {taken[1]}"
        )
    changes: dict[str, Any] = {"image_size": taken[1], "channels": taken[3], "fit": fit}
    settings = PictureSettings(encoding="png").model_copy(update=changes)
    return View(spec=settings.picture_spec(), normalization=normalization)
