"""What a file comes to when it is sent: each codec as those use it who pack once and send often."""

import lzma
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import zstandard

_ZSTD_LEVEL = 19
"""The highest that takes no more memory to unpack than a device has to spare."""


class PackedSizes(NamedTuple):
    """Bytes of a file under each codec."""

    zip: int
    xz: int
    zstd: int


def packed_sizes(data: bytes) -> PackedSizes:
    """Returns a file's size under every codec.

    Each takes some 10 s for 4 MB of sparse weights, so they work side by side.
    """
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
