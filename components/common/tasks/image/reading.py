"""Pictures as they lie in shards, and as a device has them."""

from components.common.documents.candidate import TFLiteModel
from components.common.documents.image import ImageSpec
from components.common.tasks.image.device import device_input
from components.common.tasks.image.features import decode_example

__all__ = ["decode_example", "device_input", "explain_misfit"]


def explain_misfit(model: TFLiteModel, spec: ImageSpec, trained_on: ImageSpec | None) -> str:
    """Returns how a file takes pictures of another shape; nothing, where it takes these."""
    taken = model.input.shape[1:]
    if taken == spec.shape:
        return ""
    return f"it takes pictures of shape {taken}, the data set now has {spec.shape}"
