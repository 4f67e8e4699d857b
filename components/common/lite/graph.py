"""The graph of a `.tflite` file, and what it costs to run: weights, and multiplications.

`read_graphs` gives tensors and operators as they stand in the file, after `walk_model` has looked
through it. A **layer** is an operator with what it works on: multiply-accumulates are counted from
shapes, for one run at the batch that the file states, and parameters are its constants. Float16
files, and sparse ones, hold an operator in front of each layer that unpacks its weights; these
count for the layer.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.common.lite.structure import MalformedModelError, Structure, walk_model


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the file.

    Attributes:
      name: of converters' making, or the author's.
      dtype: `float32`, `int4`.
      shape: of one run; a length that is open is 1.
      buffer: where its constant content lies among the model's buffers; None where it is computed.
      scale: of all of it, or of its first channel; 0 where it is not quantized.
      zero_point: likewise.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    buffer: int | None
    scale: float
    zero_point: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def floating(self) -> bool:
        return "float" in self.dtype


@dataclasses.dataclass(frozen=True, eq=False)
class Operator:
    """An operator: `CONV_2D`, or a custom one's own name; None is an input that was left out."""

    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """A subgraph; the first one is the model, the others are what control flow calls."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """An operator, and what it costs.

    Attributes:
      operator: what it is, on what.
      weights: its constants, each at the first layer that has it.
      macs: multiply-accumulates of one run; None where they can't be told from shapes.
    """

    operator: Operator
    weights: tuple[Tensor, ...]
    macs: int | None

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.weights)


def read_graphs(data: bytes, structure: Structure | None = None) -> tuple[Graph, ...]:
    """Reads all subgraphs of a file.

    Args:
      data: the file.
      structure: what `walk_model` found in it, if that was done.

    Raises:
      MalformedModelError: it holds no model.
    """
    structure = structure or walk_model(data)
    model = schema.Model.GetRootAs(data, 0)
    names = [_operator_name(model.OperatorCodes(n)) for n in range(model.OperatorCodesLength())]
    if model.SubgraphsLength() == 0:
        raise MalformedModelError("the file holds no graph")
    return tuple(
        _read_graph(model.Subgraphs(number), names, structure)
        for number in range(model.SubgraphsLength())
    )


def weight_values(data: bytes, structure: Structure, tensor: Tensor) -> npt.NDArray[Any] | None:
    """Returns the values of a weight of rank 2 or more, as they are stored.

    None of other tensors: computed ones, biases, shapes, and types of less than a byte.
    """
    form = _WEIGHTS.get(tensor.dtype)
    if form is None or tensor.buffer is None or len(tensor.shape) < 2:
        return None
    start, end = structure.buffers[tensor.buffer]
    if tensor.elements * form.itemsize != end - start:
        return None
    return np.frombuffer(data, form, tensor.elements, start).reshape(tensor.shape)


def count_layers(graph: Graph) -> list[Layer]:
    """Returns what each operator costs, in the order in which they run."""
    unpacked: dict[Tensor, Tensor] = {}
    seen: set[Tensor] = set()
    layers = []
    for operator in graph.operators:
        first = operator.inputs[0] if operator.inputs else None
        if operator.name in _UNPACKING and first is not None and first.buffer is not None:
            unpacked[operator.outputs[0]] = first
            continue
        inputs = tuple(
            None if tensor is None else unpacked.get(tensor, tensor) for tensor in operator.inputs
        )
        weights = tuple(t for t in _weights(operator.name, inputs) if t not in seen)
        seen.update(weights)
        operator = dataclasses.replace(operator, inputs=inputs)
        layers.append(Layer(operator, weights, _count_macs(operator)))
    return layers


def _weights(name: str, inputs: Sequence[Tensor | None]) -> Iterator[Tensor]:
    """Yields the constants that were learned; others hold shapes, axes and paddings."""
    for position, tensor in enumerate(inputs):
        if tensor is None or tensor.buffer is None:
            continue
        if tensor.dtype not in _COUNTERS or position == _BIAS_AT.get(name):
            yield tensor


def _count_macs(operator: Operator) -> int | None:
    name, inputs = operator.name, operator.inputs
    if name in _UNKNOWN or name not in _BUILTINS.values():
        return None
    if name not in _MULTIPLYING:
        return 0
    # A transposed convolution is given the shape of its result ahead.
    first = 1 if name == "TRANSPOSE_CONV" else 0
    known = [tensor for tensor in inputs[first : first + 2] if tensor is not None]
    if len(known) < 2 or not operator.outputs or min(len(tensor.shape) for tensor in known) < 2:
        return None
    made, weights = operator.outputs[0].elements, known[1]
    match name:
        case "CONV_2D" | "FULLY_CONNECTED":
            return made * math.prod(weights.shape[1:])
        case "DEPTHWISE_CONV_2D":
            return made * math.prod(weights.shape[1:-1])
        case "CONV_3D":
            return made * math.prod(weights.shape[:-1])
        case "TRANSPOSE_CONV":
            kernel, image = known
            return image.elements * math.prod(kernel.shape[:-1])
    left, rows = known[0].shape, operator.outputs[0].shape[-2:-1]
    return made * (left[-1] if left[-2:-1] == rows else left[-2])


def _read_graph(graph: schema.SubGraph, names: Sequence[str], structure: Structure) -> Graph:
    tensors = tuple(
        _read_tensor(graph.Tensors(number), structure) for number in range(graph.TensorsLength())
    )

    def pick(indices: Sequence[int]) -> tuple[Tensor, ...]:
        if any(not 0 <= index < len(tensors) for index in indices):
            raise MalformedModelError("damaged: it names a tensor that it does not hold")
        return tuple(tensors[index] for index in indices)

    operators = []
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        if operator.OpcodeIndex() >= len(names):
            raise MalformedModelError("damaged: it names an operator that it does not hold")
        taken = [operator.Inputs(i) for i in range(operator.InputsLength())]
        made = [operator.Outputs(i) for i in range(operator.OutputsLength())]
        inputs = tuple(None if index == -1 else pick([index])[0] for index in taken)
        operators.append(Operator(names[operator.OpcodeIndex()], inputs, pick(made)))
    return Graph(
        tensors,
        pick([graph.Inputs(i) for i in range(graph.InputsLength())]),
        pick([graph.Outputs(i) for i in range(graph.OutputsLength())]),
        tuple(operators),
    )


def _read_tensor(tensor: schema.Tensor, structure: Structure) -> Tensor:
    index = tensor.Buffer()
    if index >= len(structure.buffers):
        raise MalformedModelError("damaged: it names a buffer that it does not hold")
    start, end = structure.buffers[index]
    quantization = tensor.Quantization()
    quantized = quantization is not None and quantization.ScaleLength() > 0
    points = quantized and quantization.ZeroPointLength() > 0
    return Tensor(
        name=(tensor.Name() or b"").decode(errors="replace"),
        dtype=_DTYPES.get(tensor.Type(), f"type {tensor.Type()}"),
        shape=tuple(_length(tensor.Shape(i)) for i in range(tensor.ShapeLength())),
        buffer=index if end > start else None,
        scale=float(quantization.Scale(0)) if quantized else 0.0,
        zero_point=int(quantization.ZeroPoint(0)) if points else 0,
    )


def _length(stated: int) -> int:
    return 1 if stated < 0 else stated


def _operator_name(code: schema.OperatorCode) -> str:
    # Files of older converters have the code in a field of one byte.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin == schema.BuiltinOperator.CUSTOM:
        return (code.CustomCode() or b"custom").decode(errors="replace")
    return _BUILTINS.get(builtin, f"operator {builtin}")


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


_BUILTINS = _names(schema.BuiltinOperator)
_DTYPES = {value: name.lower() for value, name in _names(schema.TensorType).items()}
_WEIGHTS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
}
_COUNTERS = frozenset({"int32", "int64", "uint32", "uint64", "bool", "string"})
"""Of constants that are shapes, axes, indices; and of biases, at their places."""
_BIAS_AT = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "CONV_3D": 2,
    "TRANSPOSE_CONV": 3,
}
_MULTIPLYING = frozenset({*_BIAS_AT, "BATCH_MATMUL"})
_UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY"})
_UNKNOWN = frozenset(
    name
    for name in _BUILTINS.values()
    if "LSTM" in name
    or "RNN" in name
    or name.startswith("STABLEHLO")
    or name in {"SVDF", "WHILE", "IF", "CALL", "CALL_ONCE", "LSH_PROJECTION", "DELEGATE"}
)
"""What multiplies, or calls what may, and does not say how often."""
