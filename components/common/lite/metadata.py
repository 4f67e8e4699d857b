"""TFLite Metadata: what a `.tflite` says of itself to whoever loads it.

The model's flatbuffer gets a further buffer, `TFLITE_METADATA`: another flatbuffer, of
the schema `metadata_schema.fbs` of tflite-support. The files that it refers to, labels
and lineage, are the model's associated files. MediaPipe and ML Kit read both.

The input tensors are described by whoever knows what goes in.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.common.digests import canonical_json
from components.common.lite.litert import OUTPUT
from components.common.lite.metadata_tables import (
    write_associated_file,
    write_range,
    write_table,
    write_tables,
)
from components.common.lite.model_files import ModelFile, read_model_file, write_model_file

LABELS_FILE = "labels.txt"
LINEAGE_FILE = "lineage.json"

_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"

# Enumerations and union members of metadata_schema.fbs.
_UNKNOWN_FILE, _TENSOR_AXIS_LABELS = 0, 2
_FEATURE_PROPERTIES = 1


def _no_units(_: flatbuffers.Builder) -> Sequence[int]:
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputCard:
    """What the metadata tells of what goes in.

    Attributes:
      write_tensors: writes a table for each input tensor, given the tensors' names; returns their
        offsets.
      write_process_units: writes what is done to all of them together; returns the offsets.
      files: name -> content of the files that these tables refer to.
      parser_version: the first one that knows every field in them.
    """

    write_tensors: Callable[[flatbuffers.Builder, Sequence[str]], Sequence[int]]
    write_process_units: Callable[[flatbuffers.Builder], Sequence[int]] = _no_units
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    parser_version: str = "1.0.0"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the metadata tells.

    Attributes:
      name: of the model.
      description: a sentence.
      class_names: in the order of the output.
      inputs: of the input tensors.
      lineage: what the model was made from: digests and settings, as JSON values; None where
        that is not known.
    """

    name: str
    description: str
    class_names: Sequence[str]
    inputs: InputCard
    lineage: Mapping[str, Any] | None


def attach_metadata(data: bytes, card: ModelCard) -> bytes:
    """Returns a `.tflite` file with metadata, labels and lineage: deterministic bytes.

    Args:
      data: a `.tflite` file with one output. Metadata that it has are replaced, and
        its text files with them; other associated files stay.
      card: what to tell.

    Raises:
      ModelFileError: the file can't be written anew.
    """
    file = read_model_file(data)
    model = file.tables
    content = np.frombuffer(_encode_metadata(card, _input_names(model)), np.uint8)
    known = next((entry for entry in model.metadata or () if _is_metadata(entry)), None)
    if known is not None:
        model.buffers[known.buffer].data = content
    else:
        buffer = schema.BufferT()
        buffer.data = content
        entry = schema.MetadataT()
        entry.name, entry.buffer = _NAME, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or ()), entry]
    files = {name: old for name, old in file.files.items() if not name.endswith(".txt")}
    files |= card.inputs.files
    files[LABELS_FILE] = "".join(f"{name}\n" for name in card.class_names).encode()
    if card.lineage is not None:
        files[LINEAGE_FILE] = f"{canonical_json(card.lineage)}\n".encode()
    return write_model_file(ModelFile(model, files), size_hint=len(data))


def _is_metadata(entry: schema.MetadataT) -> bool:
    return _text(entry.name) == _NAME


def _input_names(model: schema.ModelT) -> list[str]:
    graph = model.subgraphs[0]
    return [_text(graph.tensors[index].name) for index in graph.inputs]


def _text(name: bytes | str | None) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""


def _encode_metadata(card: ModelCard, input_names: Sequence[str]) -> bytes:
    builder = flatbuffers.Builder(1024)
    tables = {
        2: write_tables(builder, card.inputs.write_tensors(builder, input_names)),
        3: write_tables(builder, [_probability_tensor(builder)]),
    }
    if units := card.inputs.write_process_units(builder):
        tables[5] = write_tables(builder, units)
    subgraph = write_table(builder, 10, offsets=tables)
    lineage = []
    if card.lineage is not None:
        words = "What the model was made from."
        lineage = [write_associated_file(builder, LINEAGE_FILE, words, _UNKNOWN_FILE)]
    root = write_table(
        builder,
        8,
        offsets={
            0: builder.CreateString(card.name),
            1: builder.CreateString(card.description),
            3: write_tables(builder, [subgraph]),
            6: write_tables(builder, lineage),
            7: builder.CreateString(card.inputs.parser_version),
        },
    )
    builder.Finish(root, _IDENTIFIER)
    return bytes(builder.Output())


def _probability_tensor(builder: flatbuffers.Builder) -> int:
    labels = write_associated_file(builder, LABELS_FILE, "One class a line.", _TENSOR_AXIS_LABELS)
    feature = write_table(builder, 0)
    return write_table(
        builder,
        7,
        offsets={
            0: builder.CreateString(OUTPUT),
            1: builder.CreateString("The probability of each class."),
            3: write_table(builder, 3, offsets={1: feature}, enums={0: _FEATURE_PROPERTIES}),
            5: write_range(builder, low=0.0, high=1.0),
            6: write_tables(builder, [labels]),
        },
    )
