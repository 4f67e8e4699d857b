"""Labels, lineage and contract, as a reader of TFLite Metadata finds them."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from components.common.documents import InputSpec
from components.common.litert import Classifier
from components.quantize.calibration import span_range
from tests.components.conftest import TrainedModel

MEDIAPIPE_PYTHON = os.environ.get("LITESMITH_MEDIAPIPE_PYTHON")


def test_labels_and_lineage_are_files_within_the_model(candidates: dict[str, Path]) -> None:
    with zipfile.ZipFile(candidates["int8"] / "model.tflite") as archive:
        assert archive.read("labels.txt") == b"bar\ncross\ndisc\n"
        lineage = json.loads(archive.read("lineage.json"))
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert lineage["candidate"] == "int8"
    assert lineage["calibration_examples"] == 60


def test_lineage_tells_content_not_code(candidates: dict[str, Path], trained: TrainedModel) -> None:
    with zipfile.ZipFile(candidates["float32"] / "model.tflite") as archive:
        lineage = json.loads(archive.read("lineage.json"))
    assert set(lineage) == {"backbone", "candidate", "weights_sha256"}


def test_weights_are_aligned_as_the_schema_demands(candidates: dict[str, Path]) -> None:
    for folder in candidates.values():
        data = (folder / "model.tflite").read_bytes()
        start = np.frombuffer(data, np.uint8).ctypes.data
        model = schema.Model.GetRootAs(data, 0)
        buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
        offsets = [buffer.DataAsNumpy().ctypes.data - start for buffer in buffers
                   if buffer.DataLength()]  # fmt: skip
        assert len(offsets) > 8
        assert {offset % 16 for offset in offsets} == {0}


def test_the_metadata_is_a_buffer_of_its_own_identifier(candidates: dict[str, Path]) -> None:
    data = (candidates["int8"] / "model.tflite").read_bytes()
    model = schema.Model.GetRootAs(data, 0)
    entries = {model.Metadata(i).Name(): model.Metadata(i).Buffer()
               for i in range(model.MetadataLength())}  # fmt: skip
    metadata = model.Buffers(entries[b"TFLITE_METADATA"]).DataAsNumpy().tobytes()
    assert metadata[4:8] == b"M001"


@pytest.mark.slow
@pytest.mark.skipif(
    MEDIAPIPE_PYTHON is None,
    reason="set LITESMITH_MEDIAPIPE_PYTHON to a Python that has mediapipe (it cannot share "
    "TensorFlow's environment)",
)
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_mediapipe_reads_the_labels_and_classifies(tmp_path: Path, scheme: str) -> None:
    from components.common.keras import keras
    from components.quantize.conversion import convert_model
    from components.quantize.metadata import ModelCard, attach_metadata

    pictures = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)
    image = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(features))
    spec = InputSpec(height=32, width=32, channels=3, offset=(127.0,) * 3, scale=(1 / 128,) * 3)
    calibration = span_range(pictures) if scheme == "int8" else None
    card = ModelCard(
        name="three", description="Three classes.", class_names=("ant", "bee", "cat"),
        height=32, width=32, channels=3, lineage={},
    )  # fmt: skip
    data = attach_metadata(convert_model(model, spec, scheme, calibration), card)
    path, picture = tmp_path / "model.tflite", tmp_path / "picture.png"
    path.write_bytes(data)
    Image.fromarray(pictures[0]).save(picture)
    child = subprocess.run(
        [
            str(MEDIAPIPE_PYTHON),
            str(Path(__file__).with_name("mediapipe_classify.py")),
            str(path),
            str(picture),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(child.stdout)
    expected = Classifier(path).classify(pictures[0])
    assert [found[name] for name in card.class_names] == pytest.approx(expected, abs=0.005)
