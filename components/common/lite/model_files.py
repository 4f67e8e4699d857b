"""A `.tflite` file taken apart and put together again.

It is one flatbuffer, the model's tables, after which a zip of associated files may follow:
labels, lineage. Tables are read as objects that can be changed, and written by a builder that
keeps what the schema demands. The same tables and files give the same bytes.
"""

import dataclasses
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from components.common.data.zips import write_zip

_IDENTIFIER = b"TFL3"
_BUFFER_ALIGNMENT = 16  # The model's schema forces it: kernels read weights in place.
_SPARE = 4096


class ModelFileError(Exception):
    """A file can't be written anew; the message says why, in a sentence."""


@dataclasses.dataclass(frozen=True, eq=False)
class ModelFile:
    """What a `.tflite` file holds.

    Attributes:
      tables: the model, of the schema's object API; may be changed.
      files: name -> content of the associated files, in their order.
    """

    tables: schema.ModelT
    files: Mapping[str, bytes]


def read_model_file(data: bytes) -> ModelFile:
    """Takes a file apart; weights stay where they are in `data`.

    Raises:
      ModelFileError: the model has data outside its flatbuffer, at offsets from the file's
        beginning, as files over 2 GB do.
    """
    tables = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    if _reaches_outside(tables):
        raise ModelFileError(
            "the model keeps weights outside its flatbuffer, as files over 2 GB do; they would be "
            "lost where the file is written anew"
        )
    return ModelFile(tables, read_associated_files(data))


def read_associated_files(data: bytes) -> Mapping[str, bytes]:
    """Returns the files that a `.tflite` holds by name; none, where it has none or is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}  # None follows.


def write_model_file(
    file: ModelFile, *, size_hint: int, wrap: Callable[[Any], Any] = lambda builder: builder
) -> bytes:
    """Puts a file together.

    Args:
      file: what it holds.
      size_hint: how large it becomes, about; a builder that has to grow copies all it holds.
      wrap: puts something of the same methods around the flatbuffer's builder.
    """
    builder = _AlignedBuilder(size_hint + _SPARE)
    builder.Finish(file.tables.Pack(wrap(builder)), _IDENTIFIER)
    whole = io.BytesIO(bytes(builder.Output()))
    if file.files:
        write_zip(whole, file.files.items())
    return whole.getvalue()


def _reaches_outside(tables: schema.ModelT) -> bool:
    # 0 and 1 stand for no offset.
    buffers = (buffer.offset for buffer in tables.buffers or ())
    options = (
        operator.largeCustomOptionsOffset
        for graph in tables.subgraphs or ()
        for operator in graph.operators or ()
    )
    return any(offset > 1 for offsets in (buffers, options) for offset in offsets)


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Keeps the alignment that the schema forces, which generated Python code forgets."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        aligned = max(alignment, _BUFFER_ALIGNMENT) if elemSize == 1 else alignment
        return int(super().StartVector(elemSize, numElems, aligned))
