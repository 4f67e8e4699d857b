"""TFRecord files come back as they were written, and damage to them is found."""

import io

import pytest

from components.common.data.records import read_records, write_record


def written(*records: bytes) -> bytearray:
    file = io.BytesIO()
    for record in records:
        write_record(file, record)
    return bytearray(file.getvalue())


def test_every_flipped_byte_is_found():
    whole = written(b"first", b"second")
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        with pytest.raises(ValueError, match=r"^shard: damaged record"):
            list(read_records(io.BytesIO(damaged), name="shard"))


@pytest.mark.parametrize("length", range(1, 40))
def test_a_file_cut_within_a_record_is_found(length):
    whole = written(b"first", b"second")
    assert len(whole) == 43
    cut = io.BytesIO(whole[:length])
    if length == len(written(b"first")):
        assert list(read_records(cut)) == [b"first"]
    else:
        with pytest.raises(ValueError, match="damaged record"):
            list(read_records(cut))
