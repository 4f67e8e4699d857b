"""The kernels of convolutions and dense layers in a `.tflite` file, as integers with scales.

A kernel is one int8 matrix, a row for each output channel: a weight is worth its code times its
row's scale. What its operator adds, the bias, counts in units of input scale times row scale, or
is float where activations are. Depthwise kernels are not among these: they are small, and each of
their channels sees one input alone.
"""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.common.lite.model_files import ModelFileError

_CONVOLUTION = schema.BuiltinOperator.CONV_2D
_DENSE = schema.BuiltinOperator.FULLY_CONNECTED
_WEIGHTED = {_CONVOLUTION, _DENSE, schema.BuiltinOperator.DEPTHWISE_CONV_2D}

_BIAS_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.FLOAT32: np.dtype("<f4"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """How a convolution moves over its input: heights first, widths second."""

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    is_padded: bool = False
    """Whether the input gets a margin of zeros, so that every stride has its position."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Kernel:
    """A kernel and where it stands.

    Attributes:
      weights: the tensor's number; no other operator has it.
      bias: of the tensor that is added; None where none is.
      source: of the tensor that it works on.
      codes: int8 [rows, columns]; columns in the order height, width, input channel.
      scales: float64 [rows], or [1] where the rows share one.
      input_scale: what a step of the input is worth; 1 where activations are float.
      input_zero: the input's code of a real 0.
      window: of a convolution; None of a dense layer.
      is_first: whether the graph has no kernel before it, depthwise ones included.
    """

    weights: int
    bias: int | None
    source: int
    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float64]
    input_scale: float
    input_zero: int
    window: Window | None
    is_first: bool


def find_kernels(tables: Any) -> list[Kernel]:
    """Returns the int8 kernels of a model, in the order of their operators.

    Args:
      tables: a ModelT of the schema's object API.

    Raises:
      ModelFileError: the model has more than one graph.
    """
    if len(tables.subgraphs) != 1:
        raise ModelFileError(f"expected a model of one graph, found {len(tables.subgraphs)}")
    graph = tables.subgraphs[0]
    users = Counter(tensor for each in graph.operators for tensor in {*_operands(each)})
    weighted = [(each, _code(tables, each)) for each in graph.operators]
    weighted = [(each, code) for each, code in weighted if code in _WEIGHTED]
    found = [
        _read(tables, operator, is_first=at == 0)
        for at, (operator, code) in enumerate(weighted)
        if code in (_CONVOLUTION, _DENSE) and users[_operands(operator)[1]] == 1
    ]
    return [kernel for kernel in found if kernel is not None]


def write_kernel(
    tables: Any,
    kernel: Kernel,
    *,
    codes: npt.NDArray[np.int8],
    scales: npt.NDArray[np.float64],
    bias: npt.NDArray[np.float64] | None,
) -> None:
    """Puts other values in a kernel's place.

    Args:
      tables: the ModelT that the kernel was found in; it is changed.
      kernel: which one.
      codes: int8, of the kernel's shape.
      scales: of the kernel's shape.
      bias: in real units, [rows]; None leaves it out, as a kernel without a bias must.
    """
    graph = tables.subgraphs[0]
    tensor = graph.tensors[kernel.weights]
    tensor.quantization.scale = scales.astype(np.float32)
    tensor.quantization.min = tensor.quantization.max = None  # Of the old values.
    _replace(tables, tensor, codes)
    if bias is None or kernel.bias is None:
        return
    tensor = graph.tensors[kernel.bias]
    dtype = _BIAS_TYPES[tensor.type]
    if dtype.kind == "i":
        unit = np.float32(kernel.input_scale) * scales.astype(np.float32)
        tensor.quantization.scale = unit
        tensor.quantization.min = tensor.quantization.max = None
        limits = np.iinfo(dtype)
        bias = np.clip(np.rint(bias / unit), limits.min, limits.max)
    _replace(tables, tensor, bias.astype(dtype))


def read_bias(tables: Any, kernel: Kernel) -> npt.NDArray[np.float64] | None:
    """Returns what a kernel's operator adds, in real units, [rows]; None where it adds nothing."""
    if kernel.bias is None:
        return None
    tensor = tables.subgraphs[0].tensors[kernel.bias]
    dtype = _BIAS_TYPES[tensor.type]
    values = np.frombuffer(bytes(tables.buffers[tensor.buffer].data), dtype).astype(np.float64)
    return np.asarray(values if dtype.kind == "f" else values * kernel.input_scale * kernel.scales)


def _code(tables: Any, operator: Any) -> int:
    code = tables.operatorCodes[operator.opcodeIndex]
    # Files of older converters have the code in a field of one byte.
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _operands(operator: Any) -> list[int]:
    """Returns the numbers of the tensors that an operator takes; it may take none."""
    return [] if operator.inputs is None else [*map(int, operator.inputs)]


def _read(tables: Any, operator: Any, *, is_first: bool) -> Kernel | None:
    """Returns an operator's kernel, or None where it is no constant of int8 with a scale a row."""
    tensors = tables.subgraphs[0].tensors
    source, weights, bias = [*_operands(operator), _NONE][:3]
    tensor = tensors[weights]
    data, quantization = tables.buffers[tensor.buffer].data, tensor.quantization
    is_integer = tensor.type == schema.TensorType.INT8 and data is not None and len(data)
    if not is_integer or quantization is None or quantization.scale is None:
        return None
    by_rows = len(quantization.scale) == 1 or quantization.quantizedDimension == 0
    is_symmetric = not np.any(quantization.zeroPoint)
    if not by_rows or not is_symmetric or not (bias == _NONE or _has_bias(tables, tensors[bias])):
        return None
    shape = [int(size) for size in tensor.shape]
    scale, zero = _activation(tensors[source])
    return Kernel(
        weights=weights,
        bias=None if bias == _NONE else bias,
        source=source,
        codes=np.asarray(data, np.uint8).view(np.int8).reshape(shape[0], -1),
        scales=np.asarray(quantization.scale, np.float64),
        input_scale=scale,
        input_zero=zero,
        window=_window(operator.builtinOptions, shape) if len(shape) == 4 else None,
        is_first=is_first,
    )


_NONE = -1  # An operand that is left out.


def _has_bias(tables: Any, tensor: Any) -> bool:
    data = tables.buffers[tensor.buffer].data
    return tensor.type in _BIAS_TYPES and data is not None and len(data) > 0


def _activation(tensor: Any) -> tuple[float, int]:
    """Returns what a step of an operator's input is worth, and the code of a real 0."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return 1.0, 0
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


def _window(options: Any, shape: list[int]) -> Window:
    return Window(
        size=(shape[1], shape[2]),
        stride=(options.strideH, options.strideW),
        dilation=(options.dilationHFactor, options.dilationWFactor),
        is_padded=options.padding == schema.Padding.SAME,
    )


def _replace(tables: Any, tensor: Any, values: npt.NDArray[Any]) -> None:
    """Gives a tensor values: in its buffer, or in one of its own where others have it too."""
    users = sum(each.buffer == tensor.buffer for each in tables.subgraphs[0].tensors)
    if users > 1:
        tensor.buffer = len(tables.buffers)
        tables.buffers.append(schema.BufferT())
    tables.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
