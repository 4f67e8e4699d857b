"""What a file comes to when it is sent: each codec as those use it who pack once and send often."""

import lzma
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import zstandard

_ZSTD_LEVEL = 19
"""The highest that takes no more memory to unpack than a device has to spare."""

SLOW_UP_TO = 16 * 2**20
"""Bytes of the largest file that the slow codecs pack: float weights take them a second a MB."""


class PackedSizes(NamedTuple):
    """Bytes of a file under each codec; None where it is too large to be packed so."""

    zip: int
    xz: int | None
    zstd: int | None


def packed_sizes(data: bytes) -> PackedSizes:
    """Returns a file's size under every codec; they work side by side."""
    if len(data) > SLOW_UP_TO:
        return PackedSizes(deflated_bytes(data), None, None)
    with ThreadPoolExecutor() as pool:
        codecs = (deflated_bytes, xz_bytes, zstd_bytes)
        return PackedSizes(*pool.map(lambda count: count(data), codecs))


def deflated_bytes(data: bytes) -> int:
    """Returns the size after deflate at the highest level, headers excluded."""
    # Negative: a raw stream without zlib's header, as a zip (APK, IPA) holds it.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(compressor.compress(data)) + len(compressor.flush())


def xz_bytes(data: bytes) -> int:
    """Returns the size as an .xz file at that program's own level, 6."""
    return len(lzma.compress(data))


def zstd_bytes(data: bytes) -> int:
    """Returns the size as a .zst file."""
    return len(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data))
