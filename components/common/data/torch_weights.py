"""Reads the tensors of a PyTorch weights file without PyTorch, and without running it.

A file in PyTorch's format since 1.6 is a zip archive of entries that are stored, not
compressed: `data.pkl`, a pickled mapping of names to tensors; each storage's elements under
`data/`; and `byteorder` (torch/serialization.py, `_save`). One of before 1.6 is a row of
pickles (magic number, version, the writer's machine, the mapping, the keys of the storages)
and then, for each storage, its number of elements (int64) and the elements (`_legacy_save`).

In either a tensor is a view on a storage. No more is read than the file holds, and a tensor
that claims more elements than its storage has is refused before it is made.
"""

import dataclasses
import io
import itertools
import math
import mmap
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.common.data.pickles import LARGEST, read_pickle
from components.common.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_ENTRIES = 100_000  # Of an archive, at most.

Tensors = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class _Kind:
    """What a storage's elements are: numpy's name, without the order of the bytes."""

    dtype: str

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    def decode(self, data: bytes | memoryview, *, order: str) -> npt.NDArray[Any]:
        values = np.frombuffer(data, np.dtype(f"{order}{self.dtype}"))
        if self is not _BFLOAT16:
            return values
        # The upper half of a float32.
        return (values.astype(np.uint32) << 16).view(np.float32)


_BFLOAT16 = _Kind("u2")


@dataclasses.dataclass(frozen=True)
class _TensorStorage:
    key: str
    kind: _Kind
    elements: int

    @property
    def size_bytes(self) -> int:
        return self.elements * self.kind.itemsize


@dataclasses.dataclass(frozen=True)
class _TensorView:
    """A tensor: a view on a storage; offset and strides count elements."""

    storage: _TensorStorage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def check(self) -> None:
        """Refuses a tensor that has more elements than its storage, or other ones."""
        numbers = (self.offset, *self.shape, *self.strides)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a tensor's place in its storage is no row of numbers")
        # as_strided checks nothing: past its storage, a tensor would be this process's memory.
        reach = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        elements = math.prod(self.shape)
        if elements > self.storage.elements or (elements and reach >= self.storage.elements):
            raise ValueError("a tensor reaches outside its storage")

    def read(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.lib.stride_tricks.as_strided(
            values[self.offset :],
            self.shape,
            [stride * values.itemsize for stride in self.strides],
            writeable=False,
        )


def read_torch_weights(path: Path) -> Tensors:
    """Returns the tensors of a file by name; those of bfloat16 as float32.

    Raises:
      UserError: the file is no weights file of these formats, or holds anything else than
        tensors.
    """
    try:
        with path.open("rb") as file:
            return _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(
            f"{path}: not a PyTorch weights file that can be read ({error}); give one that holds "
            "nothing but a mapping of names to tensors: torch.save(model.state_dict(), PATH)"
        ) from error


def _read_zip(file: IO[bytes]) -> Tensors:
    size = file.seek(0, os.SEEK_END)
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        entries = _find_entries(archive, size)
        order = _byte_order(archive, entries)
        with archive.open(_find(entries, "data.pkl", LARGEST)) as pickled:
            views = _read_views(io.BytesIO(pickled.read()))
        values = {}
        for key, storage in _storages(views).items():
            entry = _find(entries, f"data/{key}", storage.size_bytes)
            if entry.file_size != storage.size_bytes:
                raise ValueError(f"storage {key} has {entry.file_size} bytes")
            values[key] = storage.kind.decode(archive.read(entry), order=order)
    return {name: view.read(values[view.storage.key]) for name, view in views.items()}


def _check_directory(file: IO[bytes]) -> None:
    """Refuses an archive whose directory would take more memory than any of weights does."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = itertools.islice(re.finditer(b"PK\1\2", content), _ENTRIES + 1)
        if sum(1 for _ in found) > _ENTRIES:
            raise ValueError(f"it has more than {_ENTRIES:,} entries")


def _find_entries(archive: zipfile.ZipFile, size: int) -> Mapping[str, zipfile.ZipInfo]:
    """Returns the entries by their name below the archive's one folder."""
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its entries are compressed, which those of PyTorch never are")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("its entries overlap")
    return {entry.filename.partition("/")[2]: entry for entry in entries}


def _find(entries: Mapping[str, zipfile.ZipInfo], name: str, largest: int) -> zipfile.ZipInfo:
    if name not in entries:
        raise ValueError(f"it has no {name}")
    if entries[name].file_size > largest:
        raise ValueError(f"its {name} has {entries[name].file_size:,} bytes")
    return entries[name]


def _byte_order(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> str:
    """Returns `<` or `>`; files of before 2.1 don't say, and are from little-endian machines."""
    if "byteorder" not in entries:
        return "<"
    name = archive.read(_find(entries, "byteorder", 6))
    try:
        return {b"little": "<", b"big": ">"}[name]
    except KeyError:
        raise ValueError(f"its byte order is {name!r}") from None


def _read_legacy(file: IO[bytes]) -> Tensors:
    if not file.seek(0, os.SEEK_END):
        raise ValueError("it is empty")
    # A map reads no more than there is, whatever is asked for.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        if _read_pickle(stream) != _MAGIC:
            raise ValueError("no magic number")
        _version, machine = _read_pickle(stream), _read_pickle(stream)
        if not machine["little_endian"]:
            raise ValueError("written on a big-endian machine")
        views = _read_views(stream)
        storages = _storages(views)
        values = {key: _read_storage(stream, storages[key]) for key in _read_pickle(stream)}
    return {name: view.read(values[view.storage.key]) for name, view in views.items()}


def _read_storage(stream: mmap.mmap, storage: _TensorStorage) -> npt.NDArray[Any]:
    (elements,) = struct.unpack("<q", stream.read(8))
    if elements != storage.elements:
        raise ValueError(f"storage {storage.key} has {elements} elements")
    data = stream.read(storage.size_bytes)
    if len(data) < storage.size_bytes:
        raise ValueError(f"storage {storage.key} ends early")
    return storage.kind.decode(data, order="<")


def _read_views(stream: Any) -> dict[str, _TensorView]:
    views = _read_pickle(stream)
    for name, view in views.items():
        if not isinstance(view, _TensorView):
            raise ValueError(f"its {name} is no tensor")
        view.check()
    return dict(views)


def _storages(views: Mapping[str, _TensorView]) -> dict[str, _TensorStorage]:
    storages: dict[str, _TensorStorage] = {}
    for view in views.values():
        if storages.setdefault(view.storage.key, view.storage) != view.storage:
            raise ValueError(f"storage {view.storage.key} is two different ones")
    return storages


def _read_pickle(stream: Any) -> Any:
    return read_pickle(stream, _KNOWN, refer=_refer)


def _refer(reference: Any) -> _TensorStorage:
    kind, element, key, _device, elements, *rest = reference
    if kind != "storage" or not isinstance(element, _Kind) or any(each for each in rest):
        raise ValueError("it refers to something else than a storage")
    if not isinstance(key, str) or type(elements) is not int or elements < 0:
        raise ValueError("it refers to a storage of no size")
    return _TensorStorage(key, element, elements)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _TensorView:
    if not isinstance(storage, _TensorStorage):
        raise ValueError("a tensor has no storage")
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered(items: Any = ()) -> dict[Any, Any]:
    if items:
        raise ValueError("a mapping is made of something else than its items")
    return {}


_KNOWN: Mapping[str, Any] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.FloatStorage": _Kind("f4"),
    "torch.DoubleStorage": _Kind("f8"),
    "torch.HalfStorage": _Kind("f2"),
    "torch.BFloat16Storage": _BFLOAT16,
    "torch.LongStorage": _Kind("i8"),
    "torch.IntStorage": _Kind("i4"),
    "torch.ShortStorage": _Kind("i2"),
    "torch.CharStorage": _Kind("i1"),
    "torch.ByteStorage": _Kind("u1"),
    "torch.BoolStorage": _Kind("?"),
}
