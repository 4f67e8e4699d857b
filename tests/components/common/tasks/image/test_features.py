"""Examples are what TensorFlow writes and reads, with every feature in one place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.data.features import encode_features
from components.common.data.records import read_records
from components.common.keras import tf
from components.common.tasks.image.features import (
    FEATURES,
    Example,
    decode_example,
    encode_example,
)
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


def test_every_field_of_an_example_is_a_feature() -> None:
    written = tf.train.Example.FromString(encode_example(EXAMPLE)).features.feature
    assert set(written) == set(FEATURES) == {"id", "image", "label", "slice"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": "7"}, "0 values of label, int"),
        ({"image": 7}, "0 values of image, bytes"),
        ({"id": b"\xff"}, "utf-8"),
    ],
)
def test_another_type_of_feature_is_told(changed, message) -> None:
    features = {"id": "ab12", "image": b"x", "label": 7, "slice": ""}
    decode_example(encode_features(features))
    with pytest.raises(ValueError, match=message):
        decode_example(encode_features(features | changed))


@pytest.mark.parametrize("record", [b"", b"\xff\xff\xff", encode_features({"label": 1})])
def test_a_record_of_something_else_is_told(record) -> None:
    with pytest.raises(ValueError, match="no tf.train.Example|has 0 values of id"):
        decode_example(record)
