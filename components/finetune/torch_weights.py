"""Reads the tensors of a PyTorch weights file without PyTorch, and without running it.

A file in PyTorch's format of before 1.6 is a row of pickles (magic number, version, the
writer's machine, a mapping of names to tensors, the keys of the storages) and then, for
each storage, its number of elements (int64) and the elements (torch/serialization.py,
`_legacy_save`). The unpickler knows the four names that such a file needs and refuses
all others: what a file asks for is never imported.
"""

import collections
import dataclasses
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.common.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: npt.DTypeLike
    elements: int


@dataclasses.dataclass(frozen=True)
class _View:
    """A tensor: a view on a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        reach = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if min((self.offset, *self.strides, *self.shape)) < 0 or reach >= values.size:
            raise ValueError("a tensor reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :],
            self.shape,
            [stride * values.itemsize for stride in self.strides],
            writeable=False,
        )
        return np.ascontiguousarray(view)


def read_torch_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Returns the tensors of a file by name.

    Raises:
      UserError: the file is no weights file of this format, or holds anything else than
        tensors of float32 or int64.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (ValueError, KeyError, TypeError, struct.error, EOFError, pickle.PickleError) as error:
        raise UserError(
            f"{path}: not a PyTorch weights file in the format of before 1.6 ({error}); give "
            "one that holds nothing but tensors"
        ) from error


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("no magic number")
    _version, machine = _Unpickler(file).load(), _Unpickler(file).load()
    if not machine["little_endian"]:
        raise ValueError("written on a big-endian machine")
    views: dict[str, _View] = dict(_Unpickler(file).load())
    storages = {view.storage.key: view.storage for view in views.values()}
    values = {key: _read_storage(file, storages[key]) for key in _Unpickler(file).load()}
    return {name: view.read(values[view.storage.key]) for name, view in views.items()}


def _read_storage(file: IO[bytes], storage: _Storage) -> npt.NDArray[Any]:
    (elements,) = struct.unpack("<q", file.read(8))
    if elements != storage.elements:
        raise ValueError(f"storage {storage.key} has {elements} elements")
    data = file.read(elements * np.dtype(storage.dtype).itemsize)
    return np.frombuffer(data, storage.dtype, elements)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, elements, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {kind}")
        return _Storage(key, dtype, elements)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _View:
    return _View(storage, offset, shape, strides)


_KNOWN: dict[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
}
