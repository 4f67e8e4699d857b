"""How a JPEG file is built: its scans, counted without decoding, and whether all are there.

A progressive JPEG holds its picture in scans, each of which refines all of it: a few
kilobytes can hold hundreds, and each costs the decoder as much as a whole picture.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator

START_OF_SCAN = 0xDA
"""What follows 0xFF in a scan's marker."""
END = b"\xff\xd9"
"""The marker of the picture's end."""

_END_OF_IMAGE = END[1]
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}

_SEQUENTIAL = {0xC0, 0xC1}

# Within a scan's data a 0xFF byte is followed by 0, or by the number of a restart.
# Of several 0xFF before a marker, which are allowed, the last one alone is looked at.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = frozenset(range(64))

_GUESSES = (b"", b"\x55" * 64, b"\xaa" * 64)
"""What may follow a scan: nothing, which decodes as zeros, and bits that differ in each place."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Segment:
    """A marker, and what follows it up to its stated length."""

    marker: int
    body: bytes


def count_scans(data: bytes) -> int:
    """Returns how many scans the decoder would go through."""
    # Walked through: thumbnails, and what follows the picture, hold such markers as well.
    return sum(segment.marker == START_OF_SCAN for segment in _segments(data))


def decodes_row_by_row(data: bytes) -> bool:
    """Tells whether a decoder needs no room for the whole picture, only for what it returns.

    A progressive JPEG, or one whose colours come in scans of their own, is held whole by its
    coefficients, at whatever size it is decoded.
    """
    frames = {segment.marker for segment in _segments(data) if segment.marker in _FRAMES}
    return bool(frames) and frames <= _SEQUENTIAL and count_scans(data) == 1


def lacks_only_its_end(data: bytes, decode: Callable[[bytes], bytes]) -> bool:
    """Tells whether a file without an end marker holds all of its picture.

    Every coefficient must have been sent to its last bit, and the last scan must be whole.
    No decoder says whether it was, but one that still wants data takes whatever comes: if
    the pixels depend on what follows the file, something is missing.

    Args:
      data: a JPEG file that its decoder calls truncated.
      decode: returns the pixels of a JPEG file, not shrunk.
    """
    if not _sends_every_coefficient(data):
        return False
    whole = data.rstrip(b"\xff")
    first, *others = (decode(whole + guess + END) for guess in _GUESSES)
    return all(pixels == first for pixels in others)


def _sends_every_coefficient(data: bytes) -> bool:
    frame: bytes = b""
    sent: dict[int, set[int]] = {}
    for segment in _segments(data):
        if segment.marker in _FRAMES:
            frame = segment.body
        elif segment.marker == START_OF_SCAN and segment.body:
            count = segment.body[0]
            components = segment.body[1 : 1 + 2 * count : 2]
            first, last, bits = segment.body[1 + 2 * count : 4 + 2 * count]
            if bits & 0x0F == 0:  # Down to the last bit.
                for component in components:
                    sent.setdefault(component, set()).update(range(first, last + 1))
    components = frame[6::3]
    return bool(components) and all(sent.get(c, set()) >= _COEFFICIENTS for c in components)


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yields the segments that are there whole, up to the end marker or the end of the file."""
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) < length - 2:
            return
        yield _Segment(marker, body)
        position += length
