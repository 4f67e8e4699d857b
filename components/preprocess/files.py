"""Reads a source's files without being held up by what is not a file.

A named pipe makes whoever opens it wait for a writer, a device gives without end, and a
sparse file of a few blocks may claim terabytes. All of them can stand in a folder, in a
list, or behind a link.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """What has the name of a file is something else; the message says what."""


class TooLargeError(OSError):
    """A file has more bytes than anybody asked for."""


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading, unbuffered; links are followed.

    Raises:
      NotAFileError: it is a folder, a pipe, a socket or a device.
      OSError: it is missing or can't be read.
    """
    _check_kind(os.stat(path))  # Before it is opened: opening alone moves some devices.
    # Another may take its place meanwhile: a pipe must not wait for its writer then.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb", buffering=0)
    try:
        _check_kind(os.fstat(descriptor))
    except NotAFileError:
        file.close()
        raise
    return file


def read_chunks(path: Path, *, at_most: int) -> Iterator[bytes]:
    """Yields the bytes of a regular file piece by piece; raises as `open_file` does.

    Raises:
      TooLargeError: the file has more than `at_most` bytes; seldom was any read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > at_most:
            raise too_large(f"{size} bytes", at_most)
        left = at_most
        while chunk := file.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:  # It grows while it is read.
                raise too_large("more bytes by now", at_most)
            yield chunk


def too_large(found: str, at_most: int) -> TooLargeError:
    return TooLargeError(errno.EFBIG, f"has {found}, where {at_most} are the most that are read")


def _check_kind(status: os.stat_result) -> None:
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise NotAFileError(errno.EINVAL, f"is {name}, not a file")
