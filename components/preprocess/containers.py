"""Files that hold many records: opened where they lie, and read in part.

A container in a bucket is a file like any other here, whose pieces are asked for as they are
read. What lies in it as it is, a span, is one such piece. A cell of a Parquet file takes reading
the column of its whole group of rows; the last groups are kept, so that whoever asks for cells
in their order reads each group once. Whoever asks in another order names them beforehand, and
they are laid out on disk.
"""

import contextlib
import io
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from components.common.errors import DamagedError, UserError
from components.common.storage import Storage, open_storage
from components.preprocess.files import open_file, too_large
from components.preprocess.places import Cell, Place, Span, is_remote

MOST_GROUP_BYTES = 1 << 30
"""Of a group of rows, unpacked: it is held in memory."""
_KEPT_BYTES = 256 << 20  # Of groups of rows; the last one is kept whatever it takes.
_BUFFER_BYTES = 1 << 20


def open_container(root: str, path: str) -> BinaryIO:
    """Opens a file of a source, to be read here and there.

    Raises:
      OSError: it is missing, no file, or can't be read.
    """
    if not is_remote(root):
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, open_file(Path(root, path)))))
    return cast(BinaryIO, io.BufferedReader(_Object(open_storage(root), path), _BUFFER_BYTES))


class Containers:
    """Reads what lies in the containers of one source; any thread may ask."""

    def __init__(self, root: str, *, at_most: int) -> None:
        self._root, self._at_most = root, at_most
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, str, int], Any] = OrderedDict()
        self._kept = 0
        self._laid_out: dict[Cell, tuple[int, int]] = {}

    @contextlib.contextmanager
    def laid_out(self, places: Iterable[Place]) -> Iterator[None]:
        """Reads cells in their order, to have them at hand where they are asked for in another.

        What can't be read is left to `read`.
        """
        cells = sorted(place for place in places if isinstance(place, Cell))
        if not cells:
            yield
            return
        with tempfile.TemporaryFile(prefix="litesmith-cells-") as self._scratch:
            for cell in cells:
                with contextlib.suppress(OSError), self._lock:
                    data = self._read_from_group(cell)
                    self._laid_out[cell] = self._scratch.tell(), len(data)
                    self._scratch.write(data)
            try:
                yield
            finally:
                self._laid_out.clear()

    def read(self, place: Place) -> bytes:
        """Returns a record's bytes.

        Raises:
          TooLargeError: there are more than anybody asked for.
          OSError: the container is missing, shorter than it was, or can't be read.
        """
        if isinstance(place, Cell):
            return self._read_cell(place)
        if place.length > self._at_most:
            raise too_large(f"{place.length} bytes", self._at_most)
        data = self._read_span(place)
        if len(data) < place.length:
            raise OSError(f"{place.file}: ends within a record; it has changed")
        return data

    def _read_span(self, place: Span) -> bytes:
        if is_remote(self._root):
            return open_storage(self._root).read_range(place.file, place.offset, place.length)
        with open_file(Path(self._root, place.file)) as file:
            file.seek(place.offset)
            return file.read(place.length)

    def _read_cell(self, place: Cell) -> bytes:
        with self._lock:  # One reader has one position in its file.
            if place in self._laid_out:
                start, size = self._laid_out[place]
                self._scratch.seek(start)
                return self._scratch.read(size)
            return self._read_from_group(place)

    def _read_from_group(self, place: Cell) -> bytes:
        value = self._group(place)[place.row].as_buffer()
        if value is None:
            return b""
        if value.size > self._at_most:
            raise too_large(f"{value.size} bytes", self._at_most)
        return cast(bytes, value.to_pybytes())

    def _group(self, place: Cell) -> Any:
        key = place.file, place.column, place.group
        if key not in self._groups:
            group = self._groups[key] = self._read_group(place)
            self._kept += group.nbytes
            while self._kept > _KEPT_BYTES and len(self._groups) > 1:
                self._kept -= self._groups.popitem(last=False)[1].nbytes
        self._groups.move_to_end(key)
        return self._groups[key]

    def _read_group(self, place: Cell) -> Any:
        import pyarrow  # It takes a while to import.

        with open_table(self._root, place.file) as table:
            try:
                return _innermost(table.read_row_group(place.group, columns=[place.column]))
            except (pyarrow.ArrowException, OSError) as error:
                reason = " ".join(str(error).split())  # It has several lines.
                raise OSError(f"{place.file}: row group {place.group}: {reason}") from error


@contextlib.contextmanager
def open_table(root: str, path: str) -> Iterator[Any]:
    """Yields a Parquet file.

    Raises:
      UserError: it is none, or one of its groups of rows is too large to be held.
    """
    import pyarrow  # It takes a while to import.
    import pyarrow.parquet

    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open_container(root, path))
            table = pyarrow.parquet.ParquetFile(file)
        except (pyarrow.ArrowException, OSError) as error:
            raise UserError(
                f"{root}/{path}: is no Parquet file that can be read: {error}"
            ) from error
        _check_groups(table, f"{root}/{path}")
        yield table


def _check_groups(table: Any, name: str) -> None:
    for index in range(table.num_row_groups):
        size = table.metadata.row_group(index).total_byte_size
        if size > MOST_GROUP_BYTES:
            raise UserError(
                f"{name}: its row group {index} unpacks to {size:,} bytes, where "
                f"{MOST_GROUP_BYTES:,} are the most that are read; write smaller row groups"
            )


def _innermost(table: Any) -> Any:
    """Returns the values of a table's only column, those within a struct in its place."""
    array = table.column(0).combine_chunks()
    while array.type.num_fields:
        array = array.flatten()[0]
    return array


class _Object(io.RawIOBase):
    """An object in a bucket as a file."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name
        self._size, _ = storage.checksum(name)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        length = min(len(buffer), max(0, self._size - self._position))
        if not length:
            return 0
        try:
            data = self._storage.read_range(self._name, self._position, length)
        except DamagedError as error:
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
