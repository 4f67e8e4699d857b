"""What a `.tflite` file says of itself, read without TensorFlow and without running it.

The file is one flatbuffer (`ai_edge_litert`'s schema), after which a zip of associated
files may follow. Sizes, operators and zeros are counted here in the bytes that ship, so
that no step before can claim what the file does not hold.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.common.documents.candidate import TensorSparsity, TensorSpec, TFLiteModel

_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
}
"""Of weights, inputs and outputs; tensors of other types hold shapes, paddings, biases."""

_INTERFACE: dict[int, Literal["float32", "uint8", "int8"]] = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT8: "int8",
}


def inspect_model(data: bytes) -> TFLiteModel:
    """Describes a `.tflite` file with one subgraph, one input and one output.

    Args:
      data: the whole file.

    Raises:
      ValueError: the bytes are no such model.
    """
    model = _model(data)
    graph = model.Subgraphs(0)
    if (graph.InputsLength(), graph.OutputsLength()) != (1, 1):
        raise ValueError("expected a model with one input and one output")
    return TFLiteModel(
        size_bytes=len(data),
        zipped_bytes=deflated_bytes(data),
        sha256=hashlib.sha256(data).hexdigest(),
        input=_tensor_spec(graph.Tensors(graph.Inputs(0))),
        output=_tensor_spec(graph.Tensors(graph.Outputs(0))),
        operators=dict(sorted(Counter(_operators(model)).items())),
        sparsity=tuple(_sparsity(model)),
    )


def deflated_bytes(data: bytes) -> int:
    """Returns the size after deflate at the highest level, headers excluded."""
    # Negative: a raw stream without zlib's header, as a zip (APK, IPA) holds it.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(compressor.compress(data)) + len(compressor.flush())


def float_operators(data: bytes) -> tuple[str, ...]:
    """Returns the names, each once, of the operators that compute in floating point."""
    model = _model(data)
    graph = model.Subgraphs(0)
    floating = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
    found = set()
    for index, name in enumerate(_operators(model)):
        operator = graph.Operators(index)
        results = [operator.Outputs(number) for number in range(operator.OutputsLength())]
        if any(graph.Tensors(tensor).Type() in floating for tensor in results):
            found.add(name)
    return tuple(sorted(found))


def _model(data: bytes) -> schema.Model:
    if not schema.Model.ModelBufferHasIdentifier(data, 0):
        raise ValueError("not a .tflite file: the identifier TFL3 is missing")
    model = schema.Model.GetRootAs(data, 0)
    if model.SubgraphsLength() != 1:
        raise ValueError(f"expected one subgraph, found {model.SubgraphsLength()}")
    return model


def _operators(model: schema.Model) -> Iterator[str]:
    graph = model.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        code = model.OperatorCodes(graph.Operators(index).OpcodeIndex())
        # Files of older converters have the code in a field of one byte.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if builtin == schema.BuiltinOperator.CUSTOM:
            yield code.CustomCode().decode()
        else:
            yield _BUILTINS[builtin]


_BUILTINS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def _tensor_spec(tensor: schema.Tensor) -> TensorSpec:
    dtype = _INTERFACE.get(tensor.Type())
    name = tensor.Name().decode()
    if dtype is None:
        raise ValueError(f"{name}: expected float32, uint8 or int8 at input and output")
    quantization = tensor.Quantization()
    quantized = quantization is not None and quantization.ScaleLength() > 0
    return TensorSpec(
        name=name,
        dtype=dtype,
        shape=tuple(int(size) for size in tensor.ShapeAsNumpy()),
        scale=float(quantization.Scale(0)) if quantized else 0.0,
        zero_point=int(quantization.ZeroPoint(0)) if quantized else 0,
    )


def _sparsity(model: schema.Model) -> Iterator[TensorSparsity]:
    graph = model.Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        values = _constant(model, tensor)
        if values is not None and values.ndim >= 2:
            # Weights are quantized symmetrically: a stored 0 is a real 0.
            yield TensorSparsity(
                tensor=tensor.Name().decode(),
                dtype=values.dtype.name,
                elements=values.size,
                zeros=values.size - int(np.count_nonzero(values)),
            )


def _constant(model: schema.Model, tensor: schema.Tensor) -> npt.NDArray[Any] | None:
    """Returns a tensor's constant values, or None where it has none or they are no weights."""
    dtype = _DTYPES.get(tensor.Type())
    buffer = model.Buffers(tensor.Buffer())
    if dtype is None or buffer.DataLength() == 0:
        return None
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype)
    return values.reshape(tensor.ShapeAsNumpy())
