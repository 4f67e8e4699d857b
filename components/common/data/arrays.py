"""Named arrays in npz files: deterministic bytes, and a reader that nothing can hurt.

The files are zips of NumPy arrays, members sorted by name. The reader takes nothing else: no
objects (which NumPy would unpickle), nothing compressed (which could grow without end), no member
twice, no array whose header promises more than the member holds. So what is read is never larger
than the file.
"""

import io
import math
import struct
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.common.data.zips import write_zip
from components.common.errors import DamagedError
from components.common.storage import open_regular_file

_SUFFIX = ".npy"
_KINDS = "biufS"  # Truth values, numbers, bytes.
_LARGEST_BYTES = 16 << 30
_OVERHEAD_BYTES = 1 << 10  # At most, of a member: its headers, twice its name.


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes an npz file whose bytes depend on the arrays alone."""
    with path.open("w+b") as file:
        write_zip(file, _members(arrays))


def encode_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Returns the bytes of the npz file that `write_arrays` writes."""
    file = io.BytesIO()
    write_zip(file, _members(arrays))
    return file.getvalue()


def _members(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterator[tuple[str, memoryview]]:
    for name in sorted(arrays):
        buffer = io.BytesIO()
        in_rows = np.asarray(arrays[name], order="C")
        np.lib.format.write_array(buffer, in_rows, allow_pickle=False)
        yield f"{name}{_SUFFIX}", buffer.getbuffer()


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Reads an npz file.

    Raises:
      FileNotFoundError: there is none.
      DamagedError: it is not as `write_arrays` wrote it.
    """
    with open_regular_file(path) as file:
        return _read(file, str(path), _LARGEST_BYTES)


def parse_arrays(data: bytes, *, name: str) -> dict[str, npt.NDArray[Any]]:
    """Returns the arrays of an npz file that is in memory.

    Args:
      data: the file's content.
      name: for the message.

    Raises:
      DamagedError: it is not as `encode_arrays` wrote it.
    """
    return _read(io.BytesIO(data), name, _LARGEST_BYTES)


def read_expected_arrays(
    path: Path, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Reads an npz file that must hold just these arrays of float32, and no byte more.

    Raises:
      FileNotFoundError: there is none.
      DamagedError: it holds others.
    """
    size = sum(4 * math.prod(shape) + _OVERHEAD_BYTES for shape in shapes.values())
    with open_regular_file(path) as file:
        arrays = _read(file, str(path), size + _OVERHEAD_BYTES)
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    expected = {name: (shape, np.dtype(np.float32)) for name, shape in shapes.items()}
    if found != expected:
        wrong = min(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise DamagedError(
            f"{path}: holds other weights than the model has: {wrong} is "
            f"{_describe(found.get(wrong))} instead of {_describe(expected.get(wrong))}; run again"
        )
    return arrays


def _describe(array: tuple[tuple[int, ...], npt.DTypeLike] | None) -> str:
    return "missing" if array is None else f"{array[1]} of {array[0]}"


def _read(file: IO[bytes], name: str, max_bytes: int) -> dict[str, npt.NDArray[Any]]:
    size = file.seek(0, io.SEEK_END)
    try:
        if size > max_bytes:
            raise ValueError(f"it has {size:,} bytes where at most {max_bytes:,} are expected")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, size)
            return {
                member.filename.removesuffix(_SUFFIX): _read_array(archive.read(member))
                for member in members
            }
    except _DAMAGED as error:
        raise DamagedError(f"{name}: is damaged ({error}); move it away, and run again") from error


_DAMAGED = (
    ValueError, KeyError, TypeError, EOFError, OverflowError, RuntimeError, RecursionError,
    MemoryError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
"""What zipfile and NumPy raise over bytes that they do not understand."""


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len({member.filename for member in members}) < len(members):
        raise ValueError("a member is there twice")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("a member is compressed")
    if sum(max(member.file_size, member.compress_size) for member in members) > size:
        raise ValueError("the members are larger than the file")


def _read_array(data: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("no array in the first version of NumPy's format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{len(data) - stream.tell()} bytes for an array of {dtype} of {shape}")
    array = np.frombuffer(bytearray(data), dtype, math.prod(shape), stream.tell())
    return array.reshape(shape, order="F" if by_columns else "C")
