"""Run-length coded BMP files, which Pillow decodes for 8 bits in most cases, for 4 in few.

Pillow drops the last pixel of an odd number of literal ones, loses rows that are empty,
and takes for the end of a word what is odd in the file, not in the data.
"""

from typing import Any

import numpy as np
from PIL import BmpImagePlugin, Image, ImageFile

_END_OF_ROW, _END, _MOVE = 0, 1, 2


class RunLengthDecoder(ImageFile.PyDecoder):
    """Decodes the rows of a BMP file; pixels that it does not state have the first colour."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Reads all of the data; called once by Pillow.

        Raises:
          OSError: the data ends before the picture does.
        """
        assert self.fd is not None
        mode, has_4_bits, direction = self.args
        rows = np.zeros((self.state.ysize, self.state.xsize), np.uint8)
        _decode_runs(self.fd.read(), rows, has_4_bits=has_4_bits)
        self.set_as_raw(rows.tobytes(), "L" if mode == "L" else "P", (0, direction))
        return -1, 0


def _decode_runs(
    data: bytes, rows: np.ndarray[Any, np.dtype[np.uint8]], *, has_4_bits: bool
) -> None:
    height, width = rows.shape
    x = y = position = 0
    while y < height:
        if position + 2 > len(data):
            raise OSError("truncated: the run-length coded data ends early")
        count, value = data[position : position + 2]
        position += 2
        if count:
            pixels = _unpack(bytes((value,)) * count, count, has_4_bits=has_4_bits)
        elif value == _END_OF_ROW:
            x, y = 0, y + 1
            continue
        elif value == _END:
            return
        elif value == _MOVE:
            if position + 2 > len(data):
                raise OSError("truncated: the run-length coded data ends early")
            x, y = x + data[position], y + data[position + 1]
            position += 2
            continue
        else:
            size = (value + 1) // 2 if has_4_bits else value
            pixels = _unpack(data[position : position + size], value, has_4_bits=has_4_bits)
            position += size + size % 2  # Literal pixels fill words of 16 bits.
        part = pixels[: max(0, width - x)]
        rows[y, x : x + len(part)] = part
        x += len(pixels)


def _unpack(data: bytes, count: int, *, has_4_bits: bool) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Returns the first pixels that bytes hold: two in each where they have 4 bits."""
    values = np.frombuffer(data, np.uint8)
    if has_4_bits:
        values = np.stack((values >> 4, values & 0x0F), axis=1).ravel()
    return values[:count]


# Imported first: it would put its own decoder in this one's place.
_PLUGIN = BmpImagePlugin
Image.register_decoder("bmp_rle", RunLengthDecoder)
