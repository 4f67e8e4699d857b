"""TFRecord files without TensorFlow.

A TFRecord is a length (uint64), its masked CRC-32C, the bytes, and their masked CRC-32C,
all little-endian (tensorflow/core/lib/io/record_writer.h).
"""

import struct
from collections.abc import Iterator
from typing import IO

import google_crc32c


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends one record to a TFRecord file."""
    length = struct.pack("<Q", len(data))
    file.write(length + _masked_crc(length) + data + _masked_crc(data))


OVERHEAD_BEFORE, OVERHEAD_AFTER = 12, 4
"""Bytes around a record: its length with a checksum, and its own checksum."""

_MOST_BYTES = 1 << 31  # Of a record: no message of protobuf's is longer.


def read_records(file: IO[bytes], *, name: str = "") -> Iterator[bytes]:
    """Yields the records of a TFRecord file.

    Raises:
      ValueError: the file ends within a record, or a checksum does not match; says which.
    """
    position = 0
    while header := file.read(12):
        if len(header) < 12 or _masked_crc(header[:8]) != header[8:]:
            raise ValueError(f"{name}: damaged record header at record {position}")
        (length,) = struct.unpack("<Q", header[:8])
        if length > _MOST_BYTES:
            raise ValueError(f"{name}: record {position} claims {length:,} bytes")
        body = file.read(length + 4)
        if len(body) < length + 4 or _masked_crc(body[:length]) != body[length:]:
            raise ValueError(f"{name}: damaged record {position}")
        yield body[:length]
        position += 1


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)
