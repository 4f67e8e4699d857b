"""Records are what TensorFlow writes and reads, and damage to them is found."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.data.records import (
    Example,
    decode_example,
    encode_example,
    read_records,
    write_record,
)
from components.common.keras import tf
from tests.builders.synthetic import write_records

EXAMPLE = Example("ab12", b"\x00picture\xff", 7, "dämmerig")


@settings(max_examples=50, deadline=None)
@given(st.text(), st.binary(), st.integers(-(2**63), 2**63 - 1), st.text())
def test_an_example_comes_back_as_it_went(id_, image, label, slice_):
    example = Example(id_, image, label, slice_)
    assert decode_example(encode_example(example)) == example
    assert encode_example(example) == encode_example(example)


def test_tensorflow_reads_what_is_written(tmp_path):
    assert write_records(tmp_path / "r", map(encode_example, [EXAMPLE] * 3)) == 3
    (first, *others) = tf.data.TFRecordDataset(str(tmp_path / "r")).as_numpy_iterator()
    assert len(others) == 2
    spec = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "id": tf.io.FixedLenFeature([], tf.string),
        "slice": tf.io.FixedLenFeature([], tf.string),
    }
    parsed = tf.io.parse_single_example(first, spec)
    assert parsed["image"].numpy() == EXAMPLE.image
    assert parsed["label"].numpy() == EXAMPLE.label
    assert parsed["id"].numpy().decode() == EXAMPLE.id
    assert parsed["slice"].numpy().decode() == EXAMPLE.slice


def test_what_tensorflow_writes_is_read(tmp_path):
    message = tf.train.Example()
    for name, value in (("image", b"x"), ("id", b"id"), ("slice", b"")):
        message.features.feature[name].bytes_list.value.append(value)
    message.features.feature["label"].int64_list.value.append(3)
    with tf.io.TFRecordWriter(str(tmp_path / "r")) as writer:
        writer.write(message.SerializeToString())
    with (tmp_path / "r").open("rb") as file:
        assert [decode_example(record) for record in read_records(file)] == [Example("id", b"x", 3)]


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
