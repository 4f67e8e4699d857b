"""Pictures as they lie in shards, and as a device has them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.documents.candidate import TFLiteModel
from components.common.documents.image import ImageSpec, InputSpec
from components.common.tasks.image import device
from components.common.tasks.image.features import Example, decode_example

__all__ = ["decode_example", "device_input", "explain_misfit", "read_for"]


def device_input(
    spec: ImageSpec, model: Path | None = None
) -> Callable[[Example], npt.NDArray[np.uint8]]:
    """Returns what makes of an example what a device feeds any model; see there."""
    return device.device_input(spec)


def read_for(spec: ImageSpec, model: InputSpec) -> ImageSpec:
    """Returns how pictures are read for a model: as they lie in the shards."""
    return spec


def explain_misfit(model: TFLiteModel, spec: ImageSpec, trained_on: ImageSpec | None) -> str:
    """Returns how a file takes pictures of another shape; nothing, where it takes these."""
    taken = model.input.shape[1:]
    if taken == spec.shape:
        return ""
    return f"it takes pictures of shape {taken}, the data set now has {spec.shape}"
