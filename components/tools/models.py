"""Files that a command is given: read within bounds, and refused in words."""

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from components.common.errors import UserError

LARGEST_BYTES = (1 << 31) - 1
"""What a flatbuffer's distances reach."""
LABELS_BYTES = 10_000_000
"""Of an associated file that is read."""
_MOST_FILES = 10


def read_model(path: Path) -> bytes:
    """Returns a file's bytes.

    Raises:
      UserError: it is none, or too large.
    """
    require_model(path)
    return path.read_bytes()


def require_model(path: Path) -> None:
    """Looks whether there is a file of a size that can be read.

    Raises:
      UserError: it is none, or too large.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; expected a .tflite file")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected a .tflite file")
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise UserError(f"{path}: {size:,} bytes; files of up to {LARGEST_BYTES:,} are read")


def open_archive(data: bytes) -> zipfile.ZipFile | None:
    """Returns the zip of associated files behind a model; None where there is none."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, struct.error):
        return None


def read_files(data: bytes) -> dict[str, bytes]:
    """Returns name -> content of the associated files, but for large ones and damaged ones."""
    archive = open_archive(data)
    found: dict[str, bytes] = {}
    for file in archive.infolist() if archive else ():
        if archive is not None and file.file_size <= LABELS_BYTES and len(found) < _MOST_FILES:
            with contextlib.suppress(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
                with archive.open(file) as content:
                    found[file.filename] = content.read(LABELS_BYTES)
    return found


def read_labels(files: Mapping[str, bytes], classes: int) -> tuple[str, ...] | None:
    """Returns the lines of the associated `.txt` that has one for each class.

    Args:
      files: name -> content.
      classes: how many the model's output has.
    """
    for name, content in files.items():
        if name.endswith(".txt"):
            lines = tuple(line.strip() for line in content.decode(errors="replace").splitlines())
            if len(lines) == classes:
                return lines
    return None
