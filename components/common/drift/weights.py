"""How unequal the weights are that share a scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.drift.matching import has_kernel


def weight_peak(layers: Sequence[Any], *, per_channel: bool) -> float:
    """Returns the greatest weight over the median one, at the scale where this is greatest.

    Of 127 levels a typical weight has as many as this leaves. It is 0 without a kernel.

    Args:
      layers: those that became one operator: a convolution or a dense layer, and perhaps the
        BatchNorm that is folded into it.
      per_channel: whether each output channel has a scale of its own.
    """
    kernels = [layer for layer in layers if has_kernel(layer)]
    if not kernels:
        return 0.0
    weights = np.abs(_by_channel(kernels[-1]) * _folded_scales(layers))
    greatest = weights.max(axis=0) if per_channel else np.full(weights.shape[1], weights.max())
    typical = np.array([np.median(channel[channel > 0]) for channel in weights.T if channel.any()])
    if not len(typical):
        return 0.0
    return float((greatest[weights.any(axis=0)] / typical).max())


def _by_channel(layer: Any) -> npt.NDArray[np.float64]:
    """Returns a kernel as [weights, output channels]."""
    if hasattr(layer, "depthwise_kernel"):
        kernel = layer.depthwise_kernel.numpy()
        return np.asarray(kernel.reshape(kernel.shape[0] * kernel.shape[1], -1), np.float64)
    kernel = layer.kernel.numpy()
    return np.asarray(kernel.reshape(-1, kernel.shape[-1]), np.float64)


def _folded_scales(layers: Sequence[Any]) -> Any:
    for layer in layers:
        if hasattr(layer, "moving_variance"):
            scale = 1 / np.sqrt(layer.moving_variance.numpy().astype(np.float64) + layer.epsilon)
            return scale * (layer.gamma.numpy() if layer.scale else 1.0)
    return 1.0
