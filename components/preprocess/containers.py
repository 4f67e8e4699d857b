"""Files that hold many records: opened where they lie, and read in part.

A container in a bucket is a file like any other here, whose pieces are asked for as they are
read. What lies in it as it is, a span, is one such piece. A cell of a Parquet file takes reading
its column from where the group of rows begins; so a group stays open, and whoever asks for cells
in their order reads it once. Whoever asks in another order names them beforehand, and they are
laid out on disk.
"""

import contextlib
import io
import tempfile
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from components.common.errors import DamagedError, UserError
from components.common.storage import Storage, open_storage
from components.preprocess.files import open_file, too_large
from components.preprocess.places import Cell, Place, Span, is_remote

MOST_GROUP_BYTES = 1 << 30
"""Of a group of rows, unpacked: it may be a single page, which is held in memory twice."""
_GROUPS = 2  # That are open: of several threads some may be at the next one.
_ROWS = 32  # That are unpacked at once.
_KEPT_BYTES = 64 << 20  # Of a group's rows, for threads that are behind; the last ones are kept.
_BUFFER_BYTES = 1 << 20
_COLUMN_BYTES = 8 << 20  # Of a group's column, read at once: of a bucket, each is a request.


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
        self._groups: OrderedDict[tuple[str, str, int], _Group] = OrderedDict()
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
        value = self._group(place).find(place.row).as_buffer()
        if value is None:
            return b""
        if value.size > self._at_most:
            raise too_large(f"{value.size} bytes", self._at_most)
        return cast(bytes, value.to_pybytes())

    def _group(self, place: Cell) -> "_Group":
        key = place.file, place.column, place.group
        group = self._groups.get(key)
        if group is None or group.is_past(place.row):
            group = self._groups[key] = _Group(self._root, place)
            if len(self._groups) > _GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return group


class _Group:
    """The cells of a group of rows, unpacked as they are asked for.

    Args:
      root: of the source.
      place: of one of the cells.
    """

    def __init__(self, root: str, place: Cell) -> None:
        self._name = f"{place.file}: row group {place.group}"
        self._rows = _read_rows(root, place)
        self._kept: deque[tuple[int, Any]] = deque()
        self._next = 0
        self._error: OSError | None = None

    def is_past(self, row: int) -> bool:
        """Tells whether a row was unpacked and is no longer kept."""
        return bool(self._kept) and row < self._kept[0][0]

    def find(self, row: int) -> Any:
        """Returns a cell that is not past.

        Raises:
          OSError: the group is damaged before it or there.
        """
        while row >= self._next:
            self._unpack()
        return next(cells[row - first] for first, cells in reversed(self._kept) if first <= row)

    def _unpack(self) -> None:
        import pyarrow  # It takes a while to import.

        if self._error is not None:
            raise self._error
        try:
            cells = next(self._rows)
        except (pyarrow.ArrowException, OSError, StopIteration) as error:
            reason = " ".join(str(error).split()) or "it ends early"  # Some have several lines.
            self._error = OSError(f"{self._name}: {reason}")
            raise self._error from error
        self._kept.append((self._next, cells))
        self._next += len(cells)
        while len(self._kept) > 1 and sum(kept.nbytes for _, kept in self._kept) > _KEPT_BYTES:
            self._kept.popleft()


def _read_rows(root: str, place: Cell) -> Iterator[Any]:
    """Yields the cells of a group of rows in their order, several at once."""
    with open_table(root, place.file) as table:
        groups, columns = [place.group], [place.column]
        for batch in table.iter_batches(_ROWS, groups, columns, use_threads=False):
            yield _innermost(batch.column(0))


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
            # Otherwise a group's whole column is read before its first cell.
            table = pyarrow.parquet.ParquetFile(file, buffer_size=_COLUMN_BYTES, pre_buffer=False)
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


def _innermost(array: Any) -> Any:
    """Returns values, or those within a struct in their place."""
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
