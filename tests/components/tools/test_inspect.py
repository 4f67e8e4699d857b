"""What `inspect` counts, and that no file, however made, breaks it."""

import hashlib
import io
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.common.errors import UserError
from components.common.lite import structure
from components.tools.inspect import inspect
from tests.builders.tflite_models import ModelBuilder, Operator, build_classifier


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(data)
    return path


def test_costs_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, build_classifier(size=8, channels=3, filters=4, classes=5)))
    convolution, mean, dense, softmax = found.layers
    assert (convolution.macs, convolution.parameters) == (8 * 8 * 4 * 3 * 3 * 3, 4 * 27 + 4)
    assert (dense.macs, dense.parameters) == (4 * 5, 4 * 5 + 5)
    assert (mean.macs, mean.parameters, softmax.macs, softmax.parameters) == (0, 0, 0, 0)
    assert (found.macs, found.parameters) == (6912 + 20, 112 + 25)
    assert found.operators == {"CONV_2D": 1, "MEAN": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
    assert found.computes_in == {"float32": 1.0}
    assert found.float_operators == {}, "nothing computes in integers"


@pytest.mark.parametrize(
    ("code", "kernel", "taken", "made", "macs"),
    [
        (Operator.DEPTHWISE_CONV_2D, (1, 3, 3, 6), (1, 8, 8, 6), (1, 4, 4, 6), 4 * 4 * 6 * 9),
        (Operator.FULLY_CONNECTED, (5, 7), (3, 7), (3, 5), 3 * 5 * 7),
        (Operator.CONV_2D, (6, 1, 1, 2), (1, 4, 4, 4), (1, 4, 4, 6), 4 * 4 * 6 * 2),  # Two groups.
        (Operator.BATCH_MATMUL, (2, 4, 5), (2, 3, 4), (2, 3, 5), 2 * 3 * 5 * 4),
        (Operator.SVDF, (5, 7), (3, 7), (3, 5), None),
    ],
)
def test_multiplications_of_each_kind_of_layer(
    code: int,
    kernel: tuple[int, ...],
    taken: tuple[int, ...],
    made: tuple[int, ...],
    macs: int | None,
    tmp_path: Path,
) -> None:
    build = ModelBuilder()
    image, result = build.tensor("image", taken), build.tensor("result", made)
    weights = build.tensor("kernel", kernel, values=np.ones(kernel, np.float32))
    build.operator(code, [image, weights], [result])
    found = inspect(write(tmp_path, build.finish(image, result)))
    assert found.layers[0].macs == macs
    assert (found.uncounted == ()) == (macs is not None)


def test_a_transposed_convolution_multiplies_each_input_with_the_whole_kernel(
    tmp_path: Path,
) -> None:
    build = ModelBuilder()
    image, made = build.tensor("image", (1, 4, 4, 3)), build.tensor("made", (1, 8, 8, 5))
    shape = build.tensor(
        "shape", [4], schema.TensorType.INT32, values=np.array([1, 8, 8, 5], np.int32)
    )
    kernel = build.tensor("kernel", (5, 2, 2, 3), values=np.ones((5, 2, 2, 3), np.float32))
    build.operator(Operator.TRANSPOSE_CONV, [shape, kernel, image], [made])
    found = inspect(write(tmp_path, build.finish(image, made)))
    assert found.layers[0].macs == 4 * 4 * 3 * 5 * 2 * 2
    assert found.parameters == 5 * 2 * 2 * 3, "a shape is no parameter"


def test_weights_that_are_unpacked_first_count_for_the_layer_that_uses_them(tmp_path: Path) -> None:
    build = ModelBuilder()
    image, result = build.tensor("image", (1, 4)), build.tensor("result", (1, 2))
    packed = build.tensor(
        "packed", (2, 4), schema.TensorType.FLOAT16, values=np.array([0, 1] * 4, np.float16)
    )
    kernel = build.tensor("kernel", (2, 4))
    build.operator(Operator.DEQUANTIZE, [packed], [kernel])
    build.operator(Operator.FULLY_CONNECTED, [image, kernel], [result])
    found = inspect(write(tmp_path, build.finish(image, result)))
    assert [(one.operator, one.macs, one.parameters, one.weights_in) for one in found.layers] == [
        ("FULLY_CONNECTED", 8, 8, "float16")
    ]
    assert found.sparsity == found.tensors[0].zeros == 0.5


def test_what_runs_in_float_in_an_integer_model_is_named(tmp_path: Path) -> None:
    build = ModelBuilder()
    integer = schema.TensorType.INT8
    image = build.tensor("image", (1, 4), integer, scale=1.0)
    first = build.tensor("first", (1, 4), integer, scale=1.0)
    kernel = build.tensor("kernel", (4, 4), integer, values=np.ones((4, 4), np.int8), scale=1.0)
    build.operator(Operator.FULLY_CONNECTED, [image, kernel], [first])
    real, result = build.tensor("real", (1, 4)), build.tensor("result", (1, 4))
    build.operator(Operator.DEQUANTIZE, [first], [real])
    build.operator(Operator.TANH, [real], [result])
    found = inspect(write(tmp_path, build.finish(image, result)))
    assert found.float_operators == {"TANH": 1}


def test_every_byte_of_a_file_has_its_use(tmp_path: Path) -> None:
    data = build_classifier()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("labels.txt", "a\nb\nc\n")
    found = inspect(write(tmp_path, data + archive.getvalue()))
    assert (
        sum(found.bytes_by_use.values()) == found.sizes.raw == len(data) + len(archive.getvalue())
    )
    assert found.bytes_by_use["associated files"] == len(archive.getvalue())
    assert found.bytes_by_use["weights"] == sum(tensor.bytes for tensor in found.tensors)
    assert found.bytes_by_use["alignment"] < 200
    assert (found.files, found.labels) == ({"labels.txt": 6}, 3)
    assert found.sha256 == hashlib.sha256(data + archive.getvalue()).hexdigest()


def test_zero_points_are_overhead_and_shared_ones_count_once(tmp_path: Path) -> None:
    build = ModelBuilder()
    image, result = build.tensor("image", (1, 4)), build.tensor("result", (1, 4))
    values = np.ones((4, 4), np.int8)
    kernel = build.tensor("kernel", (4, 4), schema.TensorType.INT8, values=values, scale=1.0)
    build.graph.tensors[kernel].quantization.zeroPoint = [0] * 100
    build.operator(Operator.FULLY_CONNECTED, [image, kernel], [result])
    found = inspect(write(tmp_path, build.finish(image, result)))
    assert found.bytes_by_use["zero points"] == 4 + 8 * 100


@pytest.mark.parametrize("data", [b"", b"TFL3", b"PK\3\4" + b"\0" * 100, b"\0" * 4 + b"TFL3"])
def test_what_is_no_model_is_refused_in_words(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.tflite: (not a \.tflite file|damaged)"):
        inspect(write(tmp_path, data))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        inspect(tmp_path / "none.tflite")
    with pytest.raises(UserError, match="is a folder; expected a .tflite file"):
        inspect(tmp_path)


def test_every_cut_is_refused_or_leaves_a_model(tmp_path: Path) -> None:
    data = build_classifier(filters=2)
    refused = 0
    for length in range(0, len(data), 7):
        try:
            inspect(write(tmp_path, data[:length]))
        except UserError:
            refused += 1
    assert refused > len(range(0, len(data), 7)) * 0.9


def test_no_byte_however_wrong_breaks_it(tmp_path: Path) -> None:
    data, chance = build_classifier(filters=2), random.Random(0)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) - 4)
            value = chance.choice(
                (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, chance.getrandbits(32))
            )
            struct.pack_into("<I", broken, at, value)
        try:
            inspect(write(tmp_path, bytes(broken)))
        except UserError as error:
            assert "model.tflite: " in str(error)


def test_a_field_outside_its_table_is_refused(tmp_path: Path) -> None:
    data = bytearray(build_classifier())
    (root,) = struct.unpack_from("<I", data, 0)
    layout = root - struct.unpack_from("<i", data, root)[0]
    struct.pack_into("<H", data, layout + 4 + 2 * 4, 0xFFF0)  # Where the buffers are.
    with pytest.raises(UserError, match="a field of the table at byte"):
        inspect(write(tmp_path, bytes(data)))


def test_content_that_reaches_past_the_end_is_refused(tmp_path: Path) -> None:
    data = build_classifier()
    kernel = next(one for one in inspect(write(tmp_path, data)).tensors if one.name == "kernel")
    at = data.index(struct.pack("<I", kernel.bytes))
    huge = data[:at] + struct.pack("<I", 0xFFFFFFF0) + data[at + 4 :]
    with pytest.raises(UserError, match="it refers to bytes"):
        inspect(write(tmp_path, huge))


def test_references_that_multiply_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each of many subgraphs may refer to the same long list of tensors.
    monkeypatch.setattr(structure, "MOST_PARTS", 50)
    with pytest.raises(UserError, match="more than 50 parts"):
        inspect(write(tmp_path, build_classifier()))
