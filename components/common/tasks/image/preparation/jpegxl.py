"""How large a JPEG XL picture is, by its header: its decoder at hand decodes before it tells.

A file is a codestream, or boxes that hold one. It begins with two bytes and the size, in bits from
the lowest on (ISO/IEC 18181-1, SizeHeader).
"""

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"
_HEADER_BYTES = 16
_RATIOS = ((1, 1), (6, 5), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, where a header says one of seven in place of the width."""
_BITS = (9, 13, 18, 30)
"""Of a side that is no multiple of 8, or large."""


def measure(data: bytes) -> tuple[int, int]:
    """Returns width and height, as they are stored.

    Raises:
      ValueError: the file has no such header.
    """
    header = _find_codestream(data)[:_HEADER_BYTES]
    if not header.startswith(_CODESTREAM):
        raise ValueError("the JPEG XL file has no codestream")
    bits = _Bits(header[len(_CODESTREAM) :])
    is_small = bits.read(1)
    height = _read_side(bits, is_small)
    ratio = bits.read(3)
    if ratio == 0:
        return _read_side(bits, is_small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def _read_side(bits: "_Bits", is_small: int) -> int:
    if is_small:
        return 8 * (bits.read(5) + 1)
    return bits.read(_BITS[bits.read(2)]) + 1


def _find_codestream(data: bytes) -> bytes:
    """Returns the first bytes of the codestream, or nothing."""
    if not data.startswith(_CONTAINER):
        return data[:_HEADER_BYTES]
    position = 0
    while position + 8 <= len(data):
        size, kind = (
            int.from_bytes(data[position : position + 4], "big"),
            data[position + 4 : position + 8],
        )
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        if kind == b"jxlc":
            return data[start : start + _HEADER_BYTES]
        if kind == b"jxlp":  # A part, after its number.
            return data[start + 4 : start + 4 + _HEADER_BYTES]
        if size < start - position:  # The last box, or a damaged one.
            break
        position += size
    return b""


class _Bits:
    """Bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the JPEG XL file ends within its header")
        found = self._value & ((1 << count) - 1)
        self._value, self._left = self._value >> count, self._left - count
        return found
