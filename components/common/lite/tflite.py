"""What a `.tflite` file says of itself, read without TensorFlow and without running it.

Sizes, operators and zeros are counted here in the bytes that ship, so
that no step before can claim what the file does not hold.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Literal

import numpy as np

from components.common.documents.candidate import TensorSparsity, TensorSpec, TFLiteModel
from components.common.lite.graph import Graph, Tensor, count_layers, read_graphs, weight_values
from components.common.lite.packing import packed_sizes
from components.common.lite.structure import Structure, walk_model

_INTERFACE: dict[str, Literal["float32", "uint8", "int8", "int32"]] = {
    "float32": "float32",
    "uint8": "uint8",
    "int8": "int8",
    "int32": "int32",
}


def inspect_model(data: bytes) -> TFLiteModel:
    """Describes a `.tflite` file with one subgraph, and one output.

    Args:
      data: the whole file.

    Raises:
      ValueError: the bytes are no such model.
    """
    structure, graph = _read(data)
    taken, made = _interface(graph)
    layers = count_layers(graph)
    packed = packed_sizes(data)
    return TFLiteModel(
        size_bytes=len(data),
        zipped_bytes=packed.zip,
        xz_bytes=packed.xz,
        zstd_bytes=packed.zstd,
        sha256=hashlib.sha256(data).hexdigest(),
        input=taken,
        output=made,
        operators=dict(sorted(Counter(operator.name for operator in graph.operators).items())),
        sparsity=tuple(_sparsity(data, structure, graph)),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs or 0 for layer in layers),
    )


def read_input(data: bytes) -> TensorSpec:
    """Returns what a model as `inspect_model` describes it takes.

    Raises:
      ValueError: the bytes are no such model.
    """
    return _interface(_read(data)[1])[0]


_HANDING_ON = frozenset({"DEQUANTIZE", "CAST"})
"""They make floats of integers, such as a text's mask, for what follows: they work nothing out."""


def float_operators(data: bytes) -> tuple[str, ...]:
    """Returns the names, each once, of the operators that compute in floating point."""
    _, graph = _read(data)
    return tuple(
        sorted(
            {
                operator.name
                for operator in graph.operators
                if any(made.floating for made in operator.outputs)
            }
            - _HANDING_ON
        )
    )


def _read(data: bytes) -> tuple[Structure, Graph]:
    structure = walk_model(data)
    graphs = read_graphs(data, structure)
    if len(graphs) != 1:
        raise ValueError(f"expected one subgraph, found {len(graphs)}")
    return structure, graphs[0]


def _interface(graph: Graph) -> tuple[TensorSpec, TensorSpec]:
    taken = sorted(map(_tensor_spec, graph.inputs), key=lambda spec: spec.name)
    kinds = {(spec.dtype, spec.shape, spec.scale, spec.zero_point) for spec in taken}
    if (len(kinds), len(graph.outputs)) != (1, 1):
        raise ValueError("expected a model with one output, and one input or several alike")
    return taken[0], _tensor_spec(graph.outputs[0])


def _tensor_spec(tensor: Tensor) -> TensorSpec:
    dtype = _INTERFACE.get(tensor.dtype)
    if dtype is None:
        raise ValueError(
            f"{tensor.name}: expected float32, int32, uint8 or int8 at input and output"
        )
    return TensorSpec(
        name=tensor.name,
        dtype=dtype,
        shape=tensor.shape,
        scale=tensor.scale,
        zero_point=tensor.zero_point,
    )


def _sparsity(data: bytes, structure: Structure, graph: Graph) -> Iterator[TensorSparsity]:
    for tensor in graph.tensors:
        values = weight_values(data, structure, tensor)
        if values is not None:
            # Weights are quantized symmetrically: a stored 0 is a real 0.
            yield TensorSparsity(
                tensor=tensor.name,
                dtype=values.dtype.name,
                elements=values.size,
                zeros=values.size - int(np.count_nonzero(values)),
            )
