"""`attach`: labels in files that it leaves as they are otherwise, and what it refuses."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from components.common.errors import UserError
from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.litert import Runner
from components.common.lite.structure import walk_model
from components.tools.attach import attach
from components.tools.inspect import inspect
from tests.builders.tflite_models import (
    ModelBuilder,
    Operator,
    build_brightness_judge,
    build_classifier,
)
from tests.mediapipe import classify_pictures, needs_mediapipe


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model.tflite", build_classifier(classes=3))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write(tmp_path / "labels.txt", "ant\nbee\ncat\n")


def answer(data: bytes) -> np.ndarray:
    runner = Runner(data)
    (taken,) = runner.inputs
    values = np.random.default_rng(5).random(taken["shape"]).astype(taken["dtype"])
    runner.load([values])
    runner.invoke()
    return runner.result()


def test_labels_are_a_file_within_the_model_whose_answers_stay(model: Path, labels: Path) -> None:
    made = attach(model, labels, mean=0, std=1)
    attached = write(model.with_name("made.tflite"), made.data)
    with zipfile.ZipFile(attached) as archive:
        assert archive.read("labels.txt") == b"ant\nbee\ncat\n"
    found = inspect(attached)
    assert (found.labels, "TFLITE_METADATA" in found.metadata) == (3, True)
    assert np.array_equal(answer(made.data), answer(model.read_bytes()))
    assert attach(model, labels, mean=0, std=1).data == made.data, "the same bytes each time"


def test_metadata_that_a_model_has_are_replaced(model: Path, labels: Path) -> None:
    once = write(model, attach(model, labels, mean=0, std=1).data)
    other = write(labels.with_name("other.txt"), "dog\nelk\nfox")
    twice = write(model, attach(once, other, mean=127.5, std=127.5).data)
    assert inspect(twice).metadata.count("TFLITE_METADATA") == 1
    with zipfile.ZipFile(twice) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt") == b"dog\nelk\nfox\n"
    assert attach(twice, other, mean=127.5, std=127.5).data == twice.read_bytes()


def test_other_files_of_the_model_stay(model: Path, labels: Path) -> None:
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("lineage.json", json.dumps({"made": "elsewhere"}))
        archive.writestr("old_labels.txt", "x\ny\nz\n")
    made = write(model, attach(model, labels, mean=0, std=1).data)
    with zipfile.ZipFile(made) as archive:
        assert sorted(archive.namelist()) == ["labels.txt", "lineage.json"]


def test_what_a_file_shares_it_goes_on_sharing(tmp_path: Path, labels: Path) -> None:
    build = ModelBuilder()
    image, mean = build.tensor("image", (1, 4, 4, 3)), build.tensor("mean", (1, 3))
    axes = build.tensor("axes", [2], schema.TensorType.INT32, values=np.array([1, 2], np.int32))
    build.operator(Operator.MEAN, [image, axes], [mean])
    for number in range(40):  # Equal vectors, of tensors that nothing uses.
        unused = build.tensor(f"t{number}", (64,), schema.TensorType.INT8, scale=1.0)
        build.graph.tensors[unused].quantization.zeroPoint = [7] * 64
        build.graph.tensors[unused].quantization.scale = [0.5] * 64
    shared = share_equal_parts(build.finish(image, mean))
    model = write(tmp_path / "shared.tflite", shared)
    made = attach(model, labels, mean=0, std=1)
    assert walk_model(made.data).shares
    assert len(made.data) - len(shared) < 1500, "metadata and labels alone"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant\nbee\n", r"labels\.txt: has 2 labels; the output .* is 1 × 3"),
        ("ant\n\nbee\ncat\n", r"labels\.txt: line 2 is empty"),
        ("", "has 0 labels"),
    ],
)
def test_labels_that_do_not_fit_the_output_are_refused(
    text: str, message: str, model: Path, labels: Path
) -> None:
    with pytest.raises(UserError, match=message):
        attach(model, write(labels, text), mean=0, std=1)


def test_labels_in_another_encoding_are_refused(model: Path, labels: Path) -> None:
    write(labels, "ämeise\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"labels\.txt: not a text in UTF-8"):
        attach(model, labels, mean=0, std=1)


def test_a_float_model_needs_to_be_told_what_its_input_means(model: Path, labels: Path) -> None:
    with pytest.raises(UserError, match="takes float32; state --mean and --std"):
        attach(model, labels, mean=None, std=1)


def test_a_model_of_bytes_needs_not_but_one_of_signed_bytes_is_refused(
    tmp_path: Path, labels: Path
) -> None:
    write(labels, "dark\nlight\n")
    plain = write(tmp_path / "plain.tflite", build_brightness_judge(dtype="uint8"))
    assert attach(plain, labels, mean=None, std=None).labels == ("dark", "light")
    signed = write(tmp_path / "signed.tflite", build_brightness_judge(dtype="int8"))
    with pytest.raises(UserError, match="its input is int8; MediaPipe runs"):
        attach(signed, labels, mean=None, std=None)


def test_what_takes_no_picture_is_refused(tmp_path: Path, labels: Path) -> None:
    build = ModelBuilder()
    taken, made = build.tensor("taken", (1, 3)), build.tensor("made", (1, 3))
    build.operator(Operator.TANH, [taken], [made])
    path = write(tmp_path / "vector.tflite", build.finish(taken, made))
    with pytest.raises(UserError, match="expected a picture as input"):
        attach(path, labels, mean=0, std=1)


@pytest.mark.parametrize("data", [b"no model", build_classifier()[:900]])
def test_what_is_no_model_is_refused(data: bytes, tmp_path: Path, labels: Path) -> None:
    with pytest.raises(UserError, match=r"broken\.tflite: "):
        attach(write(tmp_path / "broken.tflite", data), labels, mean=0, std=1)


@pytest.mark.slow
@needs_mediapipe
@pytest.mark.parametrize(
    ("dtype", "threshold", "mean", "std"),
    [("float32", 0.5, 0, 255), ("float32", 0.0, 127.5, 127.5), ("uint8", 128.0, None, None)],
)
def test_mediapipe_reads_the_labels_and_what_the_input_means(
    dtype: str, threshold: float, mean: float | None, std: float | None, tmp_path: Path
) -> None:
    data = build_brightness_judge(size=32, threshold=threshold, dtype=dtype)
    model = write(tmp_path / "model.tflite", data)
    labels = write(tmp_path / "labels.txt", "dark\nlight\n")
    write(model, attach(model, labels, mean=mean, std=std).data)
    for level in (60, 200):
        Image.new("RGB", (32, 32), (level, level, level)).save(tmp_path / f"{level}.png")
    dark, light = classify_pictures(model, [tmp_path / f"{level}.png" for level in (60, 200)])
    assert dark["dark"] > 0.5 > dark["light"]
    assert light["light"] > 0.5 > light["dark"]
