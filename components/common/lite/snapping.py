"""Fewer levels for the weights of a `.tflite` file that keeps its kernels, its speed and its size.

Each kernel of int8 weights is rounded to a coarser grid, and its output's mean is put back by what
is added to it: examples say what reaches the kernel. The file is as large as before, but packs
better, because its bytes take few values.

The first kernel is left as it is: it is small, and all that follows sees its errors. So are
depthwise ones.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.lite.activations import Seen, observe_kernels
from components.common.lite.grids import choose_steps, snap_rows
from components.common.lite.kernels import Kernel, find_kernels, read_bias, write_kernel
from components.common.lite.model_files import ModelFileError, read_model_file, write_model_file


def snap_weights(data: bytes, examples: npt.NDArray[Any], *, bits: int) -> bytes:
    """Rounds kernels to grids of 2 to the power of `bits`, less one, levels.

    Args:
      data: a `.tflite` file with one input and int8 weights.
      examples: [n, ...], n at least 1, as a device feeds them.
      bits: from 2 to 7.

    Raises:
      ModelFileError: there is nothing to round in the file, or it can't be written anew.
      LiteRTError: the file can't be run on the examples.
    """
    file = read_model_file(data)
    kernels = [kernel for kernel in find_kernels(file.tables) if not kernel.is_first]
    if not kernels:
        raise ModelFileError(
            "the model has no int8 weights to snap, beside its first and its depthwise kernels; "
            "convert it to int8 first"
        )
    seen = observe_kernels(data, kernels, examples)
    for kernel in kernels:
        _snap(file.tables, kernel, seen[kernel.weights], levels=2 ** (bits - 1) - 1)
    return write_model_file(file, size_hint=len(data))


def _snap(tables: Any, kernel: Kernel, seen: Seen, *, levels: int) -> None:
    weights = (kernel.codes * kernel.scales[:, np.newaxis]).astype(np.float32)
    importance = np.concatenate([np.diag(each) for each in seen.products]).astype(np.float32)
    steps = choose_steps(weights, importance, levels=levels, together=len(kernel.scales) == 1)
    codes = _snap_parts(weights, steps, seen.products, levels=levels)
    bias = read_bias(tables, kernel)
    if bias is not None:
        bias += (weights - codes * steps[:, np.newaxis]).astype(np.float64) @ seen.mean
    write_kernel(tables, kernel, codes=codes, scales=steps.astype(np.float64), bias=bias)


def _snap_parts(
    weights: npt.NDArray[np.float32],
    steps: npt.NDArray[np.float32],
    products: Sequence[npt.NDArray[np.float64]],
    *,
    levels: int,
) -> npt.NDArray[np.int8]:
    parts, start = [], 0
    for each in products:
        part = weights[:, start : start + len(each)]
        parts.append(snap_rows(part, steps, each, levels=levels))
        start += len(each)
    return np.concatenate(parts, axis=1)
