"""Texts as they lie in shards, and as a device has them: as token ids."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from components.common.documents.candidate import TFLiteModel
from components.common.documents.text import TextSpec
from components.common.tasks.text.features import Example, decode_example

__all__ = ["decode_example", "device_input", "explain_misfit"]


def device_input(spec: TextSpec) -> Callable[[Example], npt.NDArray[np.int32]]:
    """Returns what makes of an example a row for each tensor: int32 [3, length]."""
    return lambda example: np.array(
        [example.input_ids, example.input_mask, example.segment_ids], np.int32
    )


def explain_misfit(model: TFLiteModel, spec: TextSpec, trained_on: TextSpec | None) -> str:
    """Returns how a file takes other tokens than these; nothing, where it takes them.

    Args:
      model: the file.
      spec: how the texts lie in the shards.
      trained_on: how those lay that the model was trained on; None where nobody knows.
    """
    length = model.input.shape[-1]
    if length != spec.length:
        return f"it takes texts of {length} tokens, the data set now has {spec.length}"
    if trained_on is not None and trained_on.vocabulary_sha256 != spec.vocabulary_sha256:
        return "its tokens are of another vocabulary than the data set's now"
    return ""
