"""Files under a root that may be a local folder, a mounted one, or a bucket.

The model is an object store: a flat space of names below a root, objects written whole
and at once, generations to make a write conditional. A local folder is made to behave
like one. Everything that outlives a task (store, run folders, shards, registry) is
reached through `open_storage`.

A name that several runs write is either always written on condition of its generation
or always content-addressed, so that it does not matter who wins.
"""

import contextlib
import dataclasses
import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import google_crc32c

from components.common.errors import DamagedError, UserError
from components.common.storage.locks import hold_lock

ABSENT = 0
"""The generation of an object that does not exist."""

SMALL_BYTES = 64 << 20
"""More than any document, record or list that litesmith writes and reads whole."""


class PreconditionError(Exception):
    """The object changed since its generation was read: somebody else wrote first."""


class StorageError(OSError):
    """The storage could not be reached, or did not keep its promises, for all retries."""


@dataclasses.dataclass(frozen=True)
class Blob:
    """An object as a listing shows it: `name` relative to the root."""

    name: str
    size_bytes: int
    updated: float
    """Seconds since the epoch."""


class Storage(Protocol):
    """The operations that a local folder and a bucket both offer.

    Names are relative to the root, with forward slashes and without `.` or `..`. Reads
    of a missing object raise FileNotFoundError. Uploads and downloads of a directory are
    not atomic, those of each file in it are.
    """

    root: str

    def read(self, name: str, *, max_bytes: int = SMALL_BYTES) -> bytes:
        """Returns an object's bytes.

        Raises:
          DamagedError: it holds more than max_bytes.
        """
        ...

    def read_with_generation(self, name: str, *, max_bytes: int = SMALL_BYTES) -> tuple[bytes, int]:
        """Returns an object's bytes and generation; (b"", ABSENT) where there is none."""
        ...

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        """Writes an object at once and returns its generation.

        Raises:
          PreconditionError: if_generation is given and the object has another one.
        """
        ...

    def exists(self, name: str) -> bool: ...
    def checksum(self, name: str) -> tuple[int, int]:
        """Returns an object's size in bytes and its CRC-32C."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yields the objects whose name starts with the prefix, sorted by name."""
        ...

    def upload(self, path: Path, name: str) -> None:
        """Writes a local file, or every file below a local directory, under a name."""
        ...

    def download(self, name: str, path: Path) -> None:
        """Copies an object, or every object below a name, to a local path.

        Raises:
          FileNotFoundError: there is neither.
        """
        ...

    def delete(self, name: str) -> None:
        """Removes an object, or every object below a name; missing ones are fine."""
        ...

    def uri(self, name: str) -> str: ...
    def local_path(self, name: str) -> Path | None:
        """Returns where the object lies on this machine's file system, if it does."""
        ...


def open_storage(root: str) -> Storage:
    """Opens the storage below a root: a folder's path or `gs://bucket/prefix`."""
    scheme, separator, _ = root.partition("://")
    if not separator:
        return LocalStorage(root)
    if scheme == "gs":
        # Google's client takes a second to import, which a local run need not pay.
        from components.common.storage.cloud_storage import CloudStorage

        return CloudStorage(root)
    raise UserError(
        f"{root}: there is no storage for {scheme}:// addresses; give gs://bucket/prefix, or a "
        "local or mounted folder"
    )


def file_checksum(path: Path) -> tuple[int, int]:
    """Returns a local file's size in bytes and its CRC-32C."""
    with open_regular_file(path) as file:
        return _checksum(file)


def _checksum(file: BinaryIO) -> tuple[int, int]:
    crc = google_crc32c.Checksum()
    size = 0
    while chunk := file.read(1 << 20):
        crc.update(chunk)
        size += len(chunk)
    return size, int.from_bytes(crc.digest(), "big")


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


def read_whole_file(path: Path, *, max_bytes: int = SMALL_BYTES) -> bytes:
    """Returns a local file's bytes.

    Raises:
      FileNotFoundError: there is none, or it is no file.
      DamagedError: it holds more than max_bytes.
    """
    with open_regular_file(path) as file:
        return _read_bounded(file, max_bytes)


def write_whole_file(path: Path, data: bytes) -> None:
    """Writes a local file, and the folders above it: whole, or not at all."""
    with beside(path) as partial:
        partial.write_bytes(data)
        os.replace(partial, path)


def too_large(name: str, max_bytes: int) -> DamagedError:
    return DamagedError(
        f"{name}: holds more than the {max_bytes:,} bytes that litesmith may have written there; "
        "move it away"
    )


def _read_bounded(file: BinaryIO, max_bytes: int) -> bytes:
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise too_large(str(file.name), max_bytes)
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise too_large(str(file.name), max_bytes)
    return data


def check_name(name: str) -> str:
    """Returns the name of an object.

    Raises:
      ValueError: it could lead out of the root, or mean something else in a bucket.
    """
    if any(part in ("", ".", "..") or part.startswith(_OWN) for part in name.split("/")):
        raise ValueError(f"{name!r}: no name of an object; expected such as runs/a/task.json")
    return name


_OWN = ".litesmith-"
"""Begins the names of files that are no objects: the lock, and files half-written."""
_LOCK = f"{_OWN}lock"


def is_half_written(file_name: str) -> bool:
    """Returns whether a file is one that is written beside the place that it is meant for."""
    return file_name.startswith(_OWN) and file_name != _LOCK


class LocalStorage:
    """A folder that behaves like an object store.

    Files are written beside their place and renamed into it. Conditional writes take
    turns by a lock on one file of the root, which the kernel releases when its holder
    dies.
    """

    def __init__(self, root: str) -> None:
        self.root = str(Path(root).expanduser().resolve())

    def read(self, name: str, *, max_bytes: int = SMALL_BYTES) -> bytes:
        return self._read(name, max_bytes)[0]

    def read_with_generation(self, name: str, *, max_bytes: int = SMALL_BYTES) -> tuple[bytes, int]:
        try:
            return self._read(name, max_bytes)
        except FileNotFoundError:
            return b"", ABSENT

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        path = self._path(name)
        with beside(path) as partial:
            partial.write_bytes(data)
            with contextlib.ExitStack() as turn:
                if if_generation is not None:
                    turn.enter_context(self._locked())
                    self._supersede(name, partial, if_generation)
                generation = _generation(partial.stat(), google_crc32c.value(data))
                os.replace(partial, path)
        return generation

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def checksum(self, name: str) -> tuple[int, int]:
        with _found(name):
            return file_checksum(self._path(name))

    def list(self, prefix: str) -> Iterator[Blob]:
        folder, _, beginning = prefix.rpartition("/")
        for path in files_below(self._path(folder) if folder else Path(self.root), beginning):
            with contextlib.suppress(FileNotFoundError):  # Removed since it was seen.
                found = path.stat()
                name = path.relative_to(self.root).as_posix()
                yield Blob(name, found.st_size, found.st_mtime)

    def upload(self, path: Path, name: str) -> None:
        _copy(path, self._path(name))

    def download(self, name: str, path: Path) -> None:
        source = self._path(name)
        with _found(name):
            if source.is_dir() and not any(files_below(source)):
                raise IsADirectoryError(name)  # A bucket has no empty folders.
            _copy(source, path)

    def delete(self, name: str) -> None:
        path = self._path(name)
        with _permitted():
            while path.is_dir() and not path.is_symlink():
                with contextlib.suppress(FileNotFoundError):  # Another deletes it as well.
                    shutil.rmtree(path)
            path.unlink(missing_ok=True)

    def uri(self, name: str) -> str:
        return str(self._path(name))

    def local_path(self, name: str) -> Path | None:
        return self._path(name)

    def _path(self, name: str) -> Path:
        return Path(self.root, check_name(name))

    def _read(self, name: str, max_bytes: int) -> tuple[bytes, int]:
        with _found(name), open_regular_file(self._path(name)) as file:
            data = _read_bounded(file, max_bytes)
            return data, _generation(os.fstat(file.fileno()), google_crc32c.value(data))

    def _supersede(self, name: str, partial: Path, generation: int) -> None:
        """Readies a file to take the place of an object of a generation, under the lock."""
        standing = self._standing(name)
        if standing != generation:
            raise PreconditionError(name)
        # Later than what it replaces, though the clock may have stood still since.
        modified_ns = max(time.time_ns(), (standing >> 32) + 1)
        os.utime(partial, ns=(modified_ns, modified_ns))
        with partial.open("rb") as file:  # A pointer survives a power cut whole.
            os.fsync(file.fileno())

    def _standing(self, name: str) -> int:
        """Returns an object's generation, however large it is."""
        try:
            with _found(name), open_regular_file(self._path(name)) as file:
                _, crc32c = _checksum(file)
                return _generation(os.fstat(file.fileno()), crc32c)
        except FileNotFoundError:
            return ABSENT

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with hold_lock(Path(self.root, _LOCK)):
            yield


def _generation(found: os.stat_result, crc32c: int) -> int:
    """Derives a local generation from time and content.

    Time tells apart two writes of the same bytes; content, two writes within the
    resolution of a file system's clock.
    """
    return (found.st_mtime_ns << 32) | crc32c


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
            if not entry.name.startswith(beginning) or entry.name.startswith(_OWN):
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


def _copy(source: Path, target: Path) -> None:
    """Copies a file, or every file below a folder: bytes alone, each whole or not at all."""
    if source.is_dir():
        for file in files_below(source):
            _copy(file, target / file.relative_to(source))
        return
    with beside(target) as partial:
        shutil.copyfile(source, partial)
        os.replace(partial, target)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yields a fresh hidden file beside a path, gone afterwards unless it was renamed."""
    partial = path.with_name(f"{_OWN}{uuid.uuid4().hex}")
    with _permitted():
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
def _permitted() -> Iterator[None]:
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
def _found(name: str) -> Iterator[None]:
    """Says that there is no object where a folder, or a file above, has its name."""
    with _permitted():
        try:
            yield
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, "no such object", name) from error
