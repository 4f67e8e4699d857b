"""Zip files whose bytes depend on their members alone.

Nothing is compressed, because another version of zlib would do it differently, and all members
have one date: the earliest that a zip can carry. Arrays are kept in such files, and a `.tflite`
carries one behind its flatbuffer; readers find either by the zip's end.
"""

import zipfile
from collections.abc import Iterable
from typing import IO

_DATE = (1980, 1, 1, 0, 0, 0)


def write_zip(file: IO[bytes], members: Iterable[tuple[str, bytes | memoryview]]) -> None:
    """Writes a zip behind whatever a file holds already.

    Args:
      file: open to read and to write; empty, or with what is no zip itself.
      members: name and content of each, in the order in which they are to stand.
    """
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
