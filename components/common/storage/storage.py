"""What a local folder and a bucket both offer, and what may go wrong there."""

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from components.common.errors import DamagedError

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
    generation: int = ABSENT
    """As far as a listing tells it: a folder's does not."""


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

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Returns some of an object's bytes, fewer where it ends before."""
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

    def reading(self, name: str) -> AbstractContextManager[Path]:
        """Gives where an object lies on this machine, or a copy that goes with the context.

        Raises:
          FileNotFoundError: there is none.
        """
        ...

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Gives the path of a file to write: it is the object once the context ends well."""
        ...

    def delete(self, name: str) -> None:
        """Removes an object, or every object below a name; missing ones are fine."""
        ...

    def uri(self, name: str) -> str: ...
    def local_path(self, name: str) -> Path | None:
        """Returns where the object lies on this machine's file system, if it does."""
        ...


def too_large(name: str, max_bytes: int) -> DamagedError:
    return DamagedError(
        f"{name}: holds more than the {max_bytes:,} bytes that litesmith may have written there; "
        "move it away"
    )


def check_name(name: str) -> str:
    """Returns the name of an object.

    Raises:
      ValueError: it could lead out of the root, or mean something else in a bucket.
    """
    if any(part in ("", ".", "..") or part.startswith(OWN) for part in name.split("/")):
        raise ValueError(f"{name!r}: no name of an object; expected such as runs/a/task.json")
    return name


OWN = ".litesmith-"
"""Begins the names of files that are no objects: the lock, and files half-written."""
