"""Files under a root that may be a local folder, a mounted one, or a bucket.

The model is an object store: a flat space of names below a root, objects written whole
and at once, generations to make a write conditional. A local folder is made to behave
like one. Everything that outlives a task (store, run folders, shards, registry) is
reached through `open_storage`.
"""

import contextlib
import dataclasses
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import google_crc32c

from components.common.errors import UserError

ABSENT = 0
"""The generation of an object that does not exist."""


class PreconditionError(Exception):
    """The object changed since its generation was read: somebody else wrote first."""


@dataclasses.dataclass(frozen=True)
class Blob:
    """An object as a listing shows it: `name` relative to the root."""

    name: str
    size_bytes: int
    updated: float
    """Seconds since the epoch."""


class Storage(Protocol):
    """The operations that a local folder and a bucket both offer.

    Names are relative to the root, with forward slashes. Reads of a missing object
    raise FileNotFoundError.
    """

    root: str

    def read(self, name: str) -> bytes: ...
    def read_with_generation(self, name: str) -> tuple[bytes, int]:
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
        """Copies an object, or every object below a name, to a local path."""
        ...

    def delete(self, name: str) -> None:
        """Removes an object, or every object below a name; missing ones are fine."""
        ...

    def uri(self, name: str) -> str: ...
    def local_path(self, name: str) -> Path | None:
        """Returns where the object lies on this machine's file system, if it does."""
        ...


class LocalStorage:
    """A folder that behaves like an object store."""

    def __init__(self, root: str) -> None:
        self.root = str(Path(root).resolve())

    def read(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def read_with_generation(self, name: str) -> tuple[bytes, int]:
        try:
            data = self.read(name)
        except FileNotFoundError:
            return b"", ABSENT
        return data, _generation(data)

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if if_generation is None:
            _replace(path, data)
        elif if_generation == ABSENT:
            _create(path, data)
        else:
            with _locked(path):
                if self.read_with_generation(name)[1] != if_generation:
                    raise PreconditionError(name)
                _replace(path, data)
        return _generation(data)

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def checksum(self, name: str) -> tuple[int, int]:
        crc = google_crc32c.Checksum()
        size = 0
        with self._path(name).open("rb") as file:
            while chunk := file.read(1 << 20):
                crc.update(chunk)
                size += len(chunk)
        return size, int.from_bytes(crc.digest(), "big")

    def list(self, prefix: str) -> Iterator[Blob]:
        folder = self._path(prefix if prefix.endswith("/") else os.path.dirname(prefix))
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if name.startswith(prefix) and path.is_file() and not path.name.startswith("."):
                stat = path.stat()
                yield Blob(name, stat.st_size, stat.st_mtime)

    def upload(self, path: Path, name: str) -> None:
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        for file in files:
            target = (
                self._path(name) / file.relative_to(path) if path.is_dir() else self._path(name)
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            with _beside(target) as partial:
                shutil.copyfile(file, partial)
                os.replace(partial, target)

    def download(self, name: str, path: Path) -> None:
        source = self._path(name)
        if source.is_dir():
            shutil.copytree(source, path, dirs_exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)

    def delete(self, name: str) -> None:
        path = self._path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def uri(self, name: str) -> str:
        return str(self._path(name))

    def local_path(self, name: str) -> Path | None:
        return self._path(name)

    def _path(self, name: str) -> Path:
        return Path(self.root, name)


def open_storage(root: str) -> Storage:
    """Opens the storage below a root: a folder's path or `gs://bucket/prefix`."""
    scheme, separator, _ = root.partition("://")
    if not separator:
        return LocalStorage(root)
    raise UserError(
        f"{root}: there is no storage for {scheme}:// addresses; give a local or mounted folder"
    )


def _generation(data: bytes) -> int:
    """Derives a local generation from content: conditional writers never repeat bytes."""
    return 1 + int(google_crc32c.value(data)) + (len(data) << 32)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yields a fresh hidden file beside a path, gone afterwards unless it was renamed."""
    partial = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    with _beside(path) as partial:
        partial.write_bytes(data)
        os.replace(partial, path)


def _create(path: Path, data: bytes) -> None:
    with _beside(path) as partial:
        partial.write_bytes(data)
        try:
            os.link(partial, path)
        except FileExistsError as error:
            raise PreconditionError(path.name) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
