"""Tables of `metadata_schema.fbs`, the schema of TFLite Metadata in tflite-support.

LiteRT's Python package has the model's schema, but not that of the metadata, so its few
tables are written by the numbers of their fields. A flatbuffer refers backwards: each function
returns the offset of what it wrote, for the table that holds it.
"""

from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np


def write_range(builder: flatbuffers.Builder, *, low: float, high: float) -> int:
    """Writes the least and the greatest value of a tensor."""
    return write_table(
        builder, 2, offsets={0: write_float(builder, high), 1: write_float(builder, low)}
    )


def write_float(builder: flatbuffers.Builder, value: float) -> int:
    """Writes a vector of one number, as the schema has one for each channel of a tensor."""
    return int(builder.CreateNumpyVector(np.array([value], np.float32)))


def write_associated_file(
    builder: flatbuffers.Builder, name: str, description: str, kind: int
) -> int:
    """Writes what a file in the model's zip is; `kind` is of the schema's AssociatedFileType."""
    offsets = {0: builder.CreateString(name), 1: builder.CreateString(description)}
    return write_table(builder, 5, offsets=offsets, enums={2: kind})


def write_tables(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    """Writes a vector of tables, given by their offsets."""
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def write_table(
    builder: flatbuffers.Builder,
    fields: int,
    *,
    offsets: Mapping[int, int] | None = None,
    enums: Mapping[int, int] | None = None,
    numbers: Mapping[int, int] | None = None,
) -> int:
    """Writes a table of so many fields: field number -> offset, byte or unsigned number."""
    builder.StartObject(fields)
    for field, offset in (offsets or {}).items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, number in (numbers or {}).items():
        builder.PrependUint32Slot(field, number, 0)
    for field, value in (enums or {}).items():
        builder.PrependInt8Slot(field, value, 0)
    return int(builder.EndObject())
