"""A folder that behaves like an object store."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from components.common.storage.files import (
    LOCK,
    beside,
    checksum,
    copy_file,
    file_checksum,
    files_below,
    looking_for,
    open_regular_file,
    permitted,
    read_bounded,
    replacing,
)
from components.common.storage.locks import hold_lock
from components.common.storage.storage import (
    ABSENT,
    SMALL_BYTES,
    Blob,
    PreconditionError,
    check_name,
)


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

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        with looking_for(name), open_regular_file(self._path(name)) as file:
            file.seek(offset)
            return file.read(length)

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
        with looking_for(name):
            return file_checksum(self._path(name))

    def list(self, prefix: str) -> Iterator[Blob]:
        folder, _, beginning = prefix.rpartition("/")
        for path in files_below(self._path(folder) if folder else Path(self.root), beginning):
            with contextlib.suppress(FileNotFoundError):  # Removed since it was seen.
                found = path.stat()
                name = path.relative_to(self.root).as_posix()
                yield Blob(name, found.st_size, found.st_mtime)

    def upload(self, path: Path, name: str) -> None:
        copy_file(path, self._path(name))

    def download(self, name: str, path: Path) -> None:
        source = self._path(name)
        with looking_for(name):
            if source.is_dir() and not any(files_below(source)):
                raise IsADirectoryError(name)  # A bucket has no empty folders.
            copy_file(source, path)

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        if not self.exists(name):
            raise FileNotFoundError(errno.ENOENT, "no such object", name)
        yield self._path(name)

    def writing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        return replacing(self._path(name))

    def delete(self, name: str) -> None:
        path = self._path(name)
        with permitted():
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
        with looking_for(name), open_regular_file(self._path(name)) as file:
            data = read_bounded(file, max_bytes)
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
            with looking_for(name), open_regular_file(self._path(name)) as file:
                _, crc32c = checksum(file)
                return _generation(os.fstat(file.fileno()), crc32c)
        except FileNotFoundError:
            return ABSENT

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with hold_lock(Path(self.root, LOCK)):
            yield


def _generation(found: os.stat_result, crc32c: int) -> int:
    """Derives a local generation from time and content.

    Time tells apart two writes of the same bytes; content, two writes within the
    resolution of a file system's clock.
    """
    return (found.st_mtime_ns << 32) | crc32c
