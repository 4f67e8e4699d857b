"""What the kernels of a `.tflite` see: means and products of their inputs over examples.

LiteRT is told to keep every tensor, which takes its own kernels in place of XNNPACK's. A kernel is
a matrix over windows of its input; of the windows, as vectors x in real units, two things decide
what another kernel in its place would compute: their mean, which shifts the output, and their
products E[x xᵀ], which weigh an error e of a row as eᵀ E[x xᵀ] e.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.common.lite.kernels import Kernel, Window
from components.common.lite.litert import LiteRTError, split_example

_MAX_WINDOWS = 256
"""Of one example: neighbouring windows say much the same, and large pictures have many."""

_MOST_TOGETHER = 1280
"""Columns whose products are known: time and memory grow with their square."""

_GATHERED = 512
"""Windows that are multiplied at a time."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Of the windows of a kernel's input, in real units.

    Attributes:
      mean: float64 [columns].
      products: the mean of x xᵀ for columns that follow one another, float64 [n, n] each: one
        matrix, or several of a wide kernel, which together cover the columns.
    """

    mean: npt.NDArray[np.float64]
    products: Sequence[npt.NDArray[np.float64]]


def observe_kernels(
    data: bytes, kernels: Sequence[Kernel], examples: npt.NDArray[Any]
) -> Mapping[int, Seen]:
    """Runs a model on examples and looks at what its kernels see.

    Args:
      data: the `.tflite` file.
      kernels: which kernels.
      examples: [n, ...], as a device feeds them.

    Returns:
      The kernel's `weights` -> what it sees.

    Raises:
      LiteRTError: the model can't be loaded, or not be run on the examples.
    """
    interpreter = _open(data)
    sums = [_Sums(kernel) for kernel in kernels]
    for example in examples:
        _feed(interpreter, example)
        for each in sums:
            each.add(interpreter.get_tensor(each.kernel.source))
    return {each.kernel.weights: each.seen() for each in sums}


def _open(data: bytes) -> Interpreter:
    try:
        interpreter = Interpreter(
            model_content=data,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise LiteRTError(f"LiteRT cannot load the model: {error}") from error
    return interpreter


def _feed(interpreter: Interpreter, example: npt.NDArray[Any]) -> None:
    inputs = interpreter.get_input_details()
    try:
        for given, part in zip(inputs, split_example(example, inputs), strict=True):
            interpreter.set_tensor(given["index"], part[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise LiteRTError(f"LiteRT cannot run the model: {error}") from error


class _Sums:
    """What a kernel has seen so far."""

    def __init__(self, kernel: Kernel) -> None:
        columns = kernel.codes.shape[1]
        parts = -(-columns // _MOST_TOGETHER)
        bounds = np.linspace(0, columns, parts + 1).astype(int)
        self.kernel = kernel
        self._spans = [slice(*each) for each in zip(bounds[:-1], bounds[1:], strict=True)]
        self._products = [np.zeros((each.stop - each.start,) * 2) for each in self._spans]
        self._total = np.zeros(columns)
        self._windows = 0
        self._gathered: list[npt.NDArray[np.float32]] = []

    def add(self, values: npt.NDArray[Any]) -> None:
        steps = values.astype(np.float32) - np.float32(self.kernel.input_zero)
        self._gathered.append(_windows(steps * np.float32(self.kernel.input_scale), self.kernel))
        if sum(map(len, self._gathered)) >= _GATHERED:
            self._sum_up()

    def seen(self) -> Seen:
        self._sum_up()
        return Seen(
            mean=self._total / self._windows,
            products=[each / self._windows for each in self._products],
        )

    def _sum_up(self) -> None:
        if not self._gathered:
            return
        windows = np.concatenate(self._gathered)
        self._gathered = []
        self._windows += len(windows)
        self._total += windows.sum(axis=0, dtype=np.float64)
        for products, span in zip(self._products, self._spans, strict=True):
            part = windows[:, span]
            products += part.T @ part


def _windows(values: npt.NDArray[np.float32], kernel: Kernel) -> npt.NDArray[np.float32]:
    """Returns windows of a kernel's input, evenly chosen: float32 [windows, columns]."""
    window = kernel.window
    if window is None:
        return values.reshape(-1, kernel.codes.shape[1])
    (rows, above, below), (columns, left, right) = (
        _positions(size, window, axis) for axis, size in enumerate(values.shape[1:3])
    )
    padded = np.pad(values[0], ((above, below), (left, right), (0, 0)))
    count = rows * columns
    chosen = np.linspace(0, count - 1, min(count, _MAX_WINDOWS)).astype(int)
    down = _reach(chosen // columns, window, 0)
    across = _reach(chosen % columns, window, 1)
    seen = padded[down[:, :, np.newaxis], across[:, np.newaxis, :]]
    return np.asarray(seen.reshape(len(chosen), -1), np.float32)


def _positions(size: int, window: Window, axis: int) -> tuple[int, int, int]:
    """Returns how many positions a window has along an axis, and the margin before and after."""
    stride, reach = window.stride[axis], (window.size[axis] - 1) * window.dilation[axis] + 1
    if not window.is_padded:
        return (size - reach) // stride + 1, 0, 0
    count = -(-size // stride)
    margin = max((count - 1) * stride + reach - size, 0)
    return count, margin // 2, margin - margin // 2


def _reach(positions: npt.NDArray[Any], window: Window, axis: int) -> npt.NDArray[Any]:
    """Returns the rows or columns of the padded input that windows cover: [windows, size]."""
    steps = np.arange(window.size[axis]) * window.dilation[axis]
    return (positions * window.stride[axis])[:, np.newaxis] + steps
