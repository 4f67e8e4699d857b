"""The narrower model: the same graph with the weights of the channels that stay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.tasks.image.models.narrowing import narrow_model
from components.common.training.strategy import read_variables, write_variables
from components.compress.channels.groups import Group

Kept = Mapping[str, npt.NDArray[np.int64]]
"""Producer -> the numbers of its channels that stay, ascending."""


def cut_channels(model: Any, groups: Sequence[Group], kept: Kept) -> Any:
    """Returns a model without the channels that go; its layers are its own.

    Args:
      model: flat and functional.
      groups: of it; those that `kept` doesn't name stay whole.
      kept: which channels stay.
    """
    narrow = narrow_model(model, {producer: len(numbers) for producer, numbers in kept.items()})
    arrays = {layer.name: read_variables(layer.weights) for layer in model.layers}
    for group in groups:
        if (numbers := kept.get(group.producer)) is not None:
            arrays[group.producer] = [each[..., numbers] for each in arrays[group.producer]]
            for name in group.followers:
                arrays[name] = [_cut_follower(each, numbers) for each in arrays[name]]
            kernel, *bias = arrays[group.consumer]
            arrays[group.consumer] = [kernel[..., numbers, :], *bias]
    for layer in narrow.layers:
        write_variables(layer.weights, arrays[layer.name])
    return narrow


def _cut_follower(
    array: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Returns a depthwise kernel [h, w, c, 1], or what is one number a channel, without others."""
    return array[:, :, numbers] if array.ndim == 4 else array[numbers]
