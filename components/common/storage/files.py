"""Files of this machine: written beside and renamed, read within bounds, never waited for."""

import contextlib
import errno
import io
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import google_crc32c

from components.common.errors import UserError
from components.common.storage.storage import OWN, SMALL_BYTES, too_large

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_CHUNK_BYTES = 1 << 18
"""Of a large file: still in the processor's cache when it is summed and written elsewhere."""


def file_checksum(path: Path) -> tuple[int, int]:
    """Returns a local file's size in bytes and its CRC-32C."""
    with open_regular_file(path) as file:
        return checksum(file)


def checksum(file: BinaryIO) -> tuple[int, int]:
    crc = google_crc32c.Checksum()
    size = 0
    while chunk := file.read(_CHUNK_BYTES):
        crc.update(chunk)
        size += len(chunk)
    return size, int.from_bytes(crc.digest(), "big")


class SummedFile(io.BufferedWriter):
    """A file that is written, and whose size in bytes and CRC-32C are known without a look."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._size, self._crc32c = 0, 0

    def write(self, data: "ReadableBuffer", /) -> int:
        written = data if isinstance(data, bytes) else bytes(data)
        self._size += len(written)
        self._crc32c = google_crc32c.extend(self._crc32c, written)
        return super().write(written)

    def checksum(self) -> tuple[int, int]:
        """Returns the size in bytes and the CRC-32C of what was written."""
        return self._size, self._crc32c


def open_regular_file(path: Path) -> BinaryIO:
    """Opens a file to read, at once: what is no file, such as a pipe, would let a reader wait.

    Raises:
      FileNotFoundError: there is none, or it is something else.
    """
    file = open(path, "rb", opener=_open_at_once)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError(errno.ENOENT, "no file", str(path))
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def read_whole_file(path: Path) -> bytes:
    """Returns a local file's bytes.

    Raises:
      FileNotFoundError: there is none, or it is no file.
      DamagedError: it holds more than SMALL_BYTES.
    """
    with open_regular_file(path) as file:
        return read_bounded(file, SMALL_BYTES)


def write_whole_file(path: Path, data: bytes) -> None:
    """Writes a local file, and the folders above it: whole, or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def read_bounded(file: BinaryIO, max_bytes: int) -> bytes:
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise too_large(str(file.name), max_bytes)
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise too_large(str(file.name), max_bytes)
    return data


LOCK = f"{OWN}lock"


def is_half_written(file_name: str) -> bool:
    """Returns whether a file is one that is written beside the place that it is meant for."""
    return file_name.startswith(OWN) and file_name != LOCK


def files_below(folder: Path, beginning: str = "") -> Iterator[Path]:
    """Yields the files at any depth of a folder, in the order of their names.

    Links to files are followed. Links to folders are not: they may loop.

    Args:
      folder: where to look; a missing one has no files.
      beginning: what the name of the file, or of the folder that holds it, begins with.
    """
    with contextlib.ExitStack() as stack:
        try:
            entries = stack.enter_context(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        folders, files = [], []
        for entry in entries:
            if not entry.name.startswith(beginning) or entry.name.startswith(OWN):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{entry.name}/")
            elif entry.is_file():
                files.append(entry.name)
    # A folder sorts as its contents do: `a.txt` comes before `a/b`.
    for name in sorted(folders + files):
        if name.endswith("/"):
            yield from files_below(folder / name)
        else:
            yield folder / name


def copy_file(source: Path, target: Path) -> None:
    """Copies a file, or every file below a folder: bytes alone, each whole or not at all."""
    if source.is_dir():
        for file in files_below(source):
            copy_file(file, target / file.relative_to(source))
        return
    with replacing(target) as partial:
        shutil.copyfile(source, partial)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a fresh hidden file beside a path, which takes its place if the context ends well."""
    with beside(path) as partial:
        yield partial
        os.replace(partial, path)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yields a fresh hidden file beside a path, gone afterwards unless it was renamed."""
    partial = path.with_name(f"{OWN}{uuid.uuid4().hex}")
    with permitted():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UserError(
                f"{error.filename}: is a file where a folder is needed; name another data root "
                "or registry, or move the file away"
            ) from error
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def permitted() -> Iterator[None]:
    """Says what to do where the file system forbids something."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise UserError(
            f"{error.filename}: {error.strerror}; give this user the right to read and write "
            "there, or name another data root or registry"
        ) from error


@contextlib.contextmanager
def looking_for(name: str) -> Iterator[None]:
    """Says that there is no object where a folder, or a file above, has its name."""
    with permitted():
        try:
            yield
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, "no such object", name) from error
