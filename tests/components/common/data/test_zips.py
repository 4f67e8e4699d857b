"""The one writer of zips: bytes that tell nothing of when and where they were written."""

import io
import zipfile

import numpy as np

from components.common.data.arrays import encode_arrays, parse_arrays
from components.common.data.zips import write_zip


def test_members_keep_their_order_and_carry_no_date_of_their_writing() -> None:
    file = io.BytesIO()
    write_zip(file, [("b", b"two"), ("a", memoryview(b"one"))])
    with zipfile.ZipFile(file) as archive:
        assert [(m.filename, m.date_time) for m in archive.infolist()] == [
            ("b", (1980, 1, 1, 0, 0, 0)),
            ("a", (1980, 1, 1, 0, 0, 0)),
        ]
        assert (archive.read("b"), archive.read("a")) == (b"two", b"one")
        assert {m.compress_type for m in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_zip_goes_behind_what_a_file_holds() -> None:
    file = io.BytesIO(b"a flatbuffer")
    write_zip(file, [("labels.txt", b"bar\n")])
    assert file.getvalue().startswith(b"a flatbuffer")
    with zipfile.ZipFile(file) as archive:
        assert archive.read("labels.txt") == b"bar\n"


def test_arrays_of_every_shape_and_order_come_back() -> None:
    arrays = {
        "scalar": np.array(3),
        "by columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "every other": np.arange(6)[::2],
        "none": np.zeros((0, 4), np.float32),
    }
    read = parse_arrays(encode_arrays(arrays), name="arrays")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].shape == array.shape and read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
