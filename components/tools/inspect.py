"""inspect: what a `.tflite` file holds, what of it is overhead, and what it costs to run."""

import hashlib
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.common.errors import UserError
from components.common.lite.graph import (
    Graph,
    Layer,
    Tensor,
    count_layers,
    read_graphs,
    weight_values,
)
from components.common.lite.packing import packed_sizes
from components.common.lite.structure import Structure, walk_model
from components.tools.documents import Inspection, Interface, LayerCosts, Sizes, StoredTensor
from components.tools.models import open_archive, read_files, read_labels, read_model

_INTEGERS = frozenset({"int8", "uint8", "int16", "int4"})


def inspect(path: Path) -> Inspection:
    """Describes a `.tflite` file of anybody's.

    Raises:
      UserError: it is none, or damaged; the message says where.
    """
    data = read_model(path)
    try:
        structure = walk_model(data)
        graphs = read_graphs(data, structure)
        metadata = _metadata_names(data)
    except (ValueError, IndexError, struct.error) as error:
        raise UserError(f"{path}: {error}") from error
    layers = [layer for graph in graphs for layer in count_layers(graph)]
    archive = open_archive(data)
    zeros, elements = _count_zeros(data, structure, graphs)
    return Inspection(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        sizes=measure_sizes(data),
        inputs=tuple(map(_interface, graphs[0].inputs)),
        outputs=tuple(map(_interface, graphs[0].outputs)),
        operators=_count(operator.name for graph in graphs for operator in graph.operators),
        layers=tuple(map(_layer_costs, layers)),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs or 0 for layer in layers),
        uncounted=tuple(sorted({one.operator.name for one in layers if one.macs is None})),
        computes_in=_shares_of_types(layers),
        float_operators=_float_operators(layers),
        tensors=tuple(_stored_tensors(structure, graphs, zeros)),
        sparsity=sum(zeros.values()) / max(1, sum(elements.values())),
        bytes_by_use=_bytes_by_use(data, structure, archive),
        files={one.filename: one.file_size for one in archive.infolist()} if archive else {},
        metadata=metadata,
        labels=_count_labels(data, graphs[0].outputs),
    )


def measure_sizes(data: bytes) -> Sizes:
    """Returns a file's size as it is, and as it is sent."""
    return Sizes(raw=len(data), **packed_sizes(data)._asdict())


def _interface(tensor: Tensor) -> Interface:
    return Interface(
        name=tensor.name,
        dtype=tensor.dtype,
        shape=tensor.shape,
        scale=tensor.scale,
        zero_point=tensor.zero_point,
    )


def _layer_costs(layer: Layer) -> LayerCosts:
    made = layer.operator.outputs[0] if layer.operator.outputs else None
    largest = max(layer.weights, key=lambda tensor: tensor.elements, default=None)
    return LayerCosts(
        operator=layer.operator.name,
        output=made.name if made else "",
        shape=made.shape if made else (),
        computes_in=made.dtype if made else "",
        weights_in=largest.dtype if largest else "",
        parameters=layer.parameters,
        macs=layer.macs,
    )


def _shares_of_types(layers: Sequence[Layer]) -> dict[str, float]:
    """Returns type -> its share of the multiply-accumulates."""
    sums: Counter[str] = Counter()
    for layer in layers:
        if layer.macs:
            sums[layer.operator.outputs[0].dtype] += layer.macs
    return {dtype: macs / sums.total() for dtype, macs in sums.most_common()}


def _float_operators(layers: Sequence[Layer]) -> Mapping[str, int]:
    """Counts what computes in float where something computes in integers."""
    if not any(
        made.dtype in _INTEGERS and layer.macs
        for layer in layers
        for made in layer.operator.outputs
    ):
        return {}
    return _count(
        layer.operator.name
        for layer in layers
        if any(made.floating for made in layer.operator.outputs)
        and layer.operator.name != "DEQUANTIZE"  # The model's border, not its work.
    )


def _stored_tensors(
    structure: Structure, graphs: Sequence[Graph], zeros: Mapping[int, int]
) -> list[StoredTensor]:
    """Returns the constants, the largest first."""
    stored = []
    for buffer, tensors in _by_buffer(graphs).items():
        start, end = structure.buffers[buffer]
        first = tensors[0]
        stored.append(
            StoredTensor(
                name=first.name,
                also=len(tensors) - 1,
                dtype=first.dtype,
                shape=first.shape,
                bytes=end - start,
                zeros=zeros[buffer] / max(1, first.elements) if buffer in zeros else None,
            )
        )
    return sorted(stored, key=lambda one: (-one.bytes, one.name))


def _count_zeros(
    data: bytes, structure: Structure, graphs: Sequence[Graph]
) -> tuple[dict[int, int], dict[int, int]]:
    """Returns buffer -> zeros and buffer -> elements, of the weights of rank 2 or more."""
    zeros, elements = {}, {}
    for buffer, (tensor, *_) in _by_buffer(graphs).items():
        values = weight_values(data, structure, tensor)
        if values is not None:
            # Weights are quantized symmetrically: a stored 0 is a real 0.
            zeros[buffer] = values.size - int(np.count_nonzero(values))
            elements[buffer] = values.size
    return zeros, elements


def _by_buffer(graphs: Sequence[Graph]) -> dict[int, list[Tensor]]:
    found: dict[int, list[Tensor]] = {}
    for tensor in (tensor for graph in graphs for tensor in graph.tensors):
        if tensor.buffer is not None:
            found.setdefault(tensor.buffer, []).append(tensor)
    return found


def _bytes_by_use(
    data: bytes, structure: Structure, archive: zipfile.ZipFile | None
) -> dict[str, int]:
    """Returns use -> bytes, the whole file; what nothing refers to is the alignment of the rest."""
    known = {str(use): count for use, count in structure.bytes_by_use().items()}
    if archive is not None and archive.infolist():
        first = min(one.header_offset for one in archive.infolist())
        known["associated files"] = len(data) - first
    known["alignment"] = max(0, len(data) - sum(known.values()))
    return dict(sorted(known.items(), key=lambda item: -item[1]))


def _metadata_names(data: bytes) -> tuple[str, ...]:
    model = schema.Model.GetRootAs(data, 0)
    entries = (model.Metadata(number) for number in range(model.MetadataLength()))
    return tuple((entry.Name() or b"").decode(errors="replace") for entry in entries)


def _count_labels(data: bytes, outputs: Sequence[Tensor]) -> int | None:
    files = read_files(data)
    found = (read_labels(files, one.shape[-1]) for one in outputs if one.shape)
    return next((len(labels) for labels in found if labels is not None), None)


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
