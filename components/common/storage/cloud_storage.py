"""A bucket's prefix as Storage: the only module that talks to google.cloud.storage.

Every write is made on condition of a generation, so that repeating it is safe: each
request is retried with backoff on 408, 429, 5xx and broken connections, and a write that
meets its own earlier success, whose acknowledgement was lost, knows it by the mark it
left or, for uploaded files, by size and CRC-32C. These are compared on the way in and
out, over the whole object: the library itself does not compare them when a download was
resumed. STORAGE_EMULATOR_HOST names an emulator, as for Google's other tools.
"""

import base64
import contextlib
import functools
import io
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google_crc32c
from google.api_core import exceptions as api
from google.cloud import storage as gcs
from google.cloud.storage import transfer_manager
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException  # type: ignore[import-untyped]

from components.common.errors import UserError
from components.common.storage.cloud_errors import explained
from components.common.storage.files import beside, file_checksum, files_below
from components.common.storage.storage import (
    ABSENT,
    SMALL_BYTES,
    Blob,
    PreconditionError,
    StorageError,
    check_name,
    too_large,
)

_TIMEOUT_S = (10.0, 60.0)  # To connect, and between two packets of an answer.
_PATIENCE_S = 120.0  # For one request with all its retries.
_PARALLEL = 8  # A session keeps 10 connections.
_ONE_REQUEST_BYTES = 8 << 20  # The library sends what is larger in resumable pieces,
_PIECE_BYTES = 16 << 20  # of this size.
_ATTEMPTS = 5  # At an object that arrives damaged, or that others write too.
_MARK = "litesmith-write"
_LISTED = "items(name,size,updated,crc32c,generation),nextPageToken"


class CloudStorage:
    """Objects below `gs://bucket/prefix`. It holds names alone, and can be pickled.

    Args:
      root: `gs://bucket` or `gs://bucket/prefix`.
      patience_s: how long one request is retried.
    """

    def __init__(self, root: str, *, patience_s: float = _PATIENCE_S) -> None:
        self._bucket_name, *folders = root.removeprefix("gs://").rstrip("/").split("/")
        if not all((self._bucket_name, *folders)):
            raise UserError(f"{root}: expected gs://bucket or gs://bucket/prefix")
        self._prefix = "".join(f"{folder}/" for folder in folders)
        self.root = f"gs://{self._bucket_name}/{self._prefix}".rstrip("/")
        self._patience_s = patience_s

    def read(self, name: str, *, max_bytes: int = SMALL_BYTES) -> bytes:
        return self._read(name, max_bytes)[0]

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        if length == 0:
            return b""  # A range has a first and a last byte.
        with self._explained():
            for _ in range(_ATTEMPTS):
                blob = self._bucket.blob(self._full(name))
                try:
                    # The bucket knows a checksum of the whole object alone.
                    data: bytes = blob.download_as_bytes(
                        start=offset,
                        end=offset + length - 1,
                        checksum=None,
                        raw_download=True,
                        **self._options,
                    )
                except _BROKEN:
                    continue
                except api.RequestRangeNotSatisfiable:
                    return b""
                except api.NotFound as error:
                    self._require_bucket()
                    raise FileNotFoundError(self.uri(name)) from error
                return data
        raise self._given_up(name)

    def read_with_generation(self, name: str, *, max_bytes: int = SMALL_BYTES) -> tuple[bytes, int]:
        try:
            return self._read(name, max_bytes)
        except FileNotFoundError:
            return b"", ABSENT

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        with self._explained(writing=True):
            if if_generation is not None:
                return self._write_if(name, data, if_generation)
            try:
                return self._write_if(name, data, ABSENT)
            except PreconditionError:
                seen = self._generation(name)
            try:
                return self._write_if(name, data, seen)
            except PreconditionError:
                # Another wrote meanwhile, as if right after us: that is what stands.
                return self._generation(name)

    def exists(self, name: str) -> bool:
        with self._explained():
            return self._standing(name) is not None

    def checksum(self, name: str) -> tuple[int, int]:
        with self._explained():
            standing = self._standing(name)
        if standing is None:
            raise FileNotFoundError(self.uri(name))
        return _checksum(standing)

    def list(self, prefix: str) -> Iterator[Blob]:
        with self._explained():
            for blob in self._listed(prefix):
                name = blob.name.removeprefix(self._prefix)
                updated = blob.updated.timestamp()
                yield Blob(name, int(blob.size), updated, int(blob.generation))

    def upload(self, path: Path, name: str) -> None:
        with self._explained(writing=True):
            if path.is_dir():
                below = {file.relative_to(path): file for file in files_below(path)}
                self._upload_all({f"{name}/{k.as_posix()}": file for k, file in below.items()})
            else:
                self._upload_one(name, path)

    def download(self, name: str, path: Path) -> None:
        with self._explained():
            found = {blob.name for blob in self._at_or_below(name)}
            full = self._full(name)
            if not found:
                raise FileNotFoundError(self.uri(name))
            if full in found:
                self._download_all({full: path})
            else:
                below = {check_name(found_name.removeprefix(f"{full}/")) for found_name in found}
                self._download_all({f"{full}/{k}": path / k for k in sorted(below)})

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="litesmith-object-") as folder:
            path = Path(folder, "object")
            self.download(name, path)
            if path.is_dir():
                raise FileNotFoundError(self.uri(name))
            yield path

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="litesmith-object-") as folder:
            path = Path(folder, "object")
            yield path
            self.upload(path, name)

    def delete(self, name: str) -> None:
        with self._explained(writing=True), ThreadPoolExecutor(_PARALLEL) as pool:
            for _ in pool.map(self._delete_one, self._at_or_below(name)):
                pass

    def uri(self, name: str) -> str:
        return f"gs://{self._bucket_name}/{self._full(name)}"

    def local_path(self, name: str) -> Path | None:
        return None

    def _full(self, name: str) -> str:
        return self._prefix + check_name(name)

    @property
    def _bucket(self) -> Any:
        return _client().bucket(self._bucket_name)

    @property
    def _options(self) -> dict[str, Any]:
        retry = DEFAULT_RETRY.with_delay(initial=0.25, maximum=30.0, multiplier=2.0)
        return {"retry": retry.with_timeout(self._patience_s), "timeout": _TIMEOUT_S}

    def _read(self, name: str, max_bytes: int) -> tuple[bytes, int]:
        with self._explained():
            for _ in range(_ATTEMPTS):
                blob = self._bucket.blob(self._full(name))
                try:
                    buffer = _Bounded(self.uri(name), max_bytes)
                    blob.download_to_file(buffer, checksum="crc32c", **self._options)
                except _BROKEN:
                    continue
                except api.NotFound as error:
                    self._require_bucket()
                    raise FileNotFoundError(self.uri(name)) from error
                data = buffer.getvalue()
                if google_crc32c.value(data) == _crc32c(blob):
                    return data, int(blob.generation)
        raise self._given_up(name)

    def _write_if(self, name: str, data: bytes, generation: int) -> int:
        mark = {_MARK: uuid.uuid4().hex}
        checksum = len(data), int(google_crc32c.value(data))
        if len(data) > _ONE_REQUEST_BYTES and self._generation(name) != generation:
            raise PreconditionError(name)  # Known before all of it is sent.
        for _ in range(_ATTEMPTS):
            written = self._put(name, data, checksum, generation, mark)
            if written is not None:
                return written
            standing = self._standing(name)
            if standing is not None and standing.metadata == mark:
                if _checksum(standing) == checksum:
                    return int(standing.generation)
                generation = int(standing.generation)  # Ours, and damaged.
            elif _generation(standing) != generation:
                raise PreconditionError(name)
        raise self._given_up(name)

    def _put(
        self,
        name: str,
        content: bytes | Path,
        checksum: tuple[int, int],
        generation: int,
        metadata: Mapping[str, str] | None = None,
    ) -> int | None:
        """Writes an object on condition of a generation.

        Returns:
          The new generation; None where the object is not, or not known to be, as wanted:
          another stands there, a resumable upload was lost, or what arrived is damaged.
        """
        blob = self._bucket.blob(self._full(name), chunk_size=_PIECE_BYTES)
        blob.metadata = metadata
        options = {**self._options, "if_generation_match": generation, "checksum": "crc32c"}
        if checksum[0] > _ONE_REQUEST_BYTES:
            # The bucket itself refuses damaged content only if it is told beforehand; and
            # the library, told to compare, deletes on damage whatever then stands there.
            encoded = base64.b64encode(checksum[1].to_bytes(4, "big")).decode()
            options |= {"checksum": None, "crc32c_checksum_value": encoded}
        try:
            if isinstance(content, Path):
                blob.upload_from_filename(str(content), **options)
            else:
                blob.upload_from_string(content, "application/octet-stream", **options)
        except api.GoogleAPICallError as error:
            damaged = error.code == 400 and "CRC32C" in error.message
            if damaged or error.code in (404, 410, 412):
                return None
            raise
        return int(blob.generation) if _checksum(blob) == checksum else None

    def _upload_one(self, name: str, path: Path) -> None:
        """Uploads a file, unless its content is already there."""
        checksum = file_checksum(path)
        for _ in range(_ATTEMPTS):
            standing = self._standing(name)
            if standing is not None and _checksum(standing) == checksum:
                return
            if self._put(name, path, checksum, _generation(standing)) is not None:
                return
        raise self._given_up(name)

    def _upload_all(self, files: Mapping[str, Path]) -> None:
        small = {
            name: file for name, file in files.items() if file.stat().st_size <= _ONE_REQUEST_BYTES
        }
        blobs = {name: self._bucket.blob(self._full(name)) for name in small}
        transfer_manager.upload_many(
            [(str(file), blobs[name]) for name, file in small.items()],
            skip_if_exists=True,
            upload_kwargs={**self._options, "checksum": "crc32c"},
            raise_exception=True,
            worker_type=transfer_manager.THREAD,
            max_workers=_PARALLEL,
        )
        for name, file in files.items():
            # Not sent, because it is large or because something stands there, or damaged.
            if name not in blobs or _checksum(blobs[name]) != file_checksum(file):
                self._upload_one(name, file)

    def _download_all(self, targets: Mapping[str, Path]) -> None:
        """Downloads objects, by full name, each to a path of its own."""
        with contextlib.ExitStack() as stack:
            pending = {name: stack.enter_context(beside(path)) for name, path in targets.items()}
            partials = dict(pending)
            for _ in range(_ATTEMPTS):
                pending = self._download_some(pending)
                if not pending:
                    break
            else:
                raise self._given_up(next(iter(pending)).removeprefix(self._prefix))
            for name, partial in partials.items():
                os.replace(partial, targets[name])

    def _download_some(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """Downloads objects side by side; returns those that arrived damaged."""
        blobs = {name: self._bucket.blob(name) for name in files}
        outcomes = transfer_manager.download_many(
            [(blobs[name], str(file)) for name, file in files.items()],
            download_kwargs={**self._options, "checksum": "crc32c"},
            worker_type=transfer_manager.THREAD,
            max_workers=_PARALLEL,
        )
        damaged = {}
        for (name, file), outcome in zip(files.items(), outcomes, strict=True):
            if isinstance(outcome, api.NotFound):
                raise FileNotFoundError(f"gs://{self._bucket_name}/{name}") from outcome
            if isinstance(outcome, Exception) and not isinstance(outcome, _BROKEN):
                raise outcome
            if outcome is not None or file_checksum(file)[1] != _crc32c(blobs[name]):
                damaged[name] = file
        return damaged

    def _delete_one(self, blob: Any) -> None:
        # What replaced it since it was seen is not what was to be deleted.
        with contextlib.suppress(api.NotFound, api.PreconditionFailed):
            blob.delete(if_generation_match=blob.generation, **self._options)

    def _standing(self, name: str) -> Any:
        """Returns the object's metadata; None where there is no object."""
        blob = self._bucket.get_blob(self._full(name), **self._options)
        if blob is None:
            self._require_bucket()
        return blob

    def _generation(self, name: str) -> int:
        return _generation(self._standing(name))

    def _listed(self, prefix: str) -> Iterator[Any]:
        blobs = _client().list_blobs(
            self._bucket_name, prefix=self._prefix + prefix, fields=_LISTED, **self._options
        )
        # The console marks an empty folder by an object whose name ends with a slash.
        return (blob for blob in blobs if not blob.name.endswith("/"))

    def _at_or_below(self, name: str) -> tuple[Any, ...]:
        full = self._full(name)
        return tuple(
            blob
            for blob in self._listed(name)
            if blob.name == full or blob.name.startswith(f"{full}/")
        )

    def _require_bucket(self) -> None:
        """Raises NotFound if it is the bucket that is missing, which reads the same."""
        _find_bucket(self._bucket_name, self._patience_s)

    def _given_up(self, name: str) -> StorageError:
        return StorageError(
            f"{self.uri(name)}: arrived damaged, or was changed by others, {_ATTEMPTS} times in "
            "a row; run again, finished work is kept"
        )

    def _explained(self, *, writing: bool = False) -> contextlib.AbstractContextManager[None]:
        return explained(self.root, patience_s=self._patience_s, writing=writing)


# The library retries neither damage nor an error's text that breaks off in a download.
class _Bounded(io.BytesIO):
    """Takes so many bytes of an object, and refuses the next."""

    def __init__(self, uri: str, max_bytes: int) -> None:
        super().__init__()
        self._uri = uri
        self._max_bytes = max_bytes

    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > self._max_bytes:
            raise too_large(self._uri, self._max_bytes)
        return super().write(data)


_BROKEN = (DataCorruption, RequestException)


@functools.cache
def _client() -> gcs.Client:
    """Returns the process's client: one set of connections, whatever opens storages."""
    # Else the library asks for each bucket's location, for traces, from a thread of its own:
    # a request that nobody waits for, and a permission that objectUser does not have.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    return gcs.Client(project=None)


# A forked child must not write into its parent's connections.
os.register_at_fork(after_in_child=_client.cache_clear)


@functools.cache
def _find_bucket(name: str, patience_s: float) -> None:
    retry = DEFAULT_RETRY.with_timeout(patience_s)
    next(iter(_client().list_blobs(name, max_results=1, retry=retry, timeout=_TIMEOUT_S)), None)


def _generation(blob: Any) -> int:
    return ABSENT if blob is None else int(blob.generation)


def _crc32c(blob: Any) -> int | None:
    """Returns what the bucket says of the object's bytes, if it said anything."""
    return None if blob.crc32c is None else int.from_bytes(base64.b64decode(blob.crc32c), "big")


def _checksum(blob: Any) -> tuple[int, int]:
    """Returns size in bytes and CRC-32C; (-1, -1) for an object that was not written."""
    crc = _crc32c(blob)
    return (-1, -1) if crc is None else (int(blob.size), crc)
