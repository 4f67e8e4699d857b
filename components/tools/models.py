"""Files that a command is given: read within bounds, and refused in words."""

from pathlib import Path

from components.common.errors import UserError

LARGEST_BYTES = (1 << 31) - 1
"""What a flatbuffer's distances reach."""


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
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected a .tflite file")
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise UserError(f"{path}: {size:,} bytes; files of up to {LARGEST_BYTES:,} are read")
