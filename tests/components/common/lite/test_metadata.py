"""Labels, lineage and contract, as a reader of TFLite Metadata finds them."""

import json
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from components.common.documents.image import ImageSpec, InputSpec
from components.common.documents.variant import StepSpec
from components.common.keras import keras
from components.common.lite.file_steps import apply_file_steps
from components.common.lite.litert import Classifier
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.metadata import describe_input
from components.common.tasks.image.preparation.pictures import prepare_picture
from components.common.tasks.image.preparation.spec import PictureSpec
from components.quantize.conversion import convert_model
from tests.components.conftest import TrainedModel
from tests.mediapipe import classify_pictures, needs_mediapipe


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
    assert set(lineage) == {"backbone", "candidate", "fit", "background", "weights_sha256"}


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


def test_the_metadata_says_how_a_picture_is_fitted() -> None:
    image = ImageSpec(
        height=8, width=8, channels=1, encoding="png", fit="pad", background="#102030"
    )
    bare = convert_model(three_classes(8, 1), input_spec(8, 1), "float32")
    data = attach_metadata(bare, card(image))
    assert b"The picture, padded to a square with #102030 (fit: pad); raw pixels" in data


def card(image: ImageSpec) -> ModelCard:
    return ModelCard(
        name="three", description="Three classes.", class_names=("ant", "bee", "cat"),
        inputs=describe_input(image), lineage={},
    )  # fmt: skip


def input_spec(size: int, channels: int) -> InputSpec:
    return InputSpec(
        height=size, width=size, channels=channels, offset=(127.0,) * channels,
        scale=(1 / 128,) * channels,
    )  # fmt: skip


DECIDED = keras.initializers.RandomNormal(stddev=0.6, seed=1)


def three_classes(size: int, channels: int) -> keras.Model:
    """Returns a model whose answer depends on where things are, not on colours alone."""
    keras.utils.set_random_seed(1)
    image = keras.Input((size, size, channels))
    features = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    features = keras.layers.Flatten()(keras.layers.AveragePooling2D(size // 4)(features))
    decided = keras.layers.Dense(3, activation="softmax", kernel_initializer=DECIDED)(features)
    return keras.Model(image, decided)


class NoExamples:
    """The material of steps that learn from none."""

    def examples(self, count: int) -> npt.NDArray[np.uint8]:
        raise AssertionError(f"asked for {count} examples")


@pytest.mark.slow
@needs_mediapipe
@pytest.mark.parametrize(("scheme", "steps"), [("float32", ()), ("int8", ()), ("int8", ("share",))])
def test_mediapipe_reads_the_labels_and_classifies(
    tmp_path: Path, scheme: str, steps: tuple[str, ...]
) -> None:
    """It stretches what is not square, so only `fit: stretch` shows it what training saw."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)
    calibration = span_range(pictures) if scheme == "int8" else None
    spec = ImageSpec(
        height=32, width=32, channels=3, encoding="png", fit="stretch", background="#ffffff"
    )
    data = convert_model(three_classes(32, 3), input_spec(32, 3), scheme, calibration)
    path = tmp_path / "model.tflite"
    data = attach_metadata(data, card(spec))
    specs = [StepSpec(kind=kind, settings={}) for kind in steps]
    data, _ = apply_file_steps(data, specs, NoExamples())
    path.write_bytes(data)
    sources = {"square": pictures[0], "wide": draw_scene(96, 48), "high": draw_scene(40, 160)}
    for name, picture in sources.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    answers = classify_pictures(path, [tmp_path / f"{name}.png" for name in sources])
    for name, found in zip(sources, answers, strict=True):
        scores = [found[class_name] for class_name in ("ant", "bee", "cat")]
        expected = {fit: classify(path, tmp_path / f"{name}.png", spec, fit) for fit in FITS}
        assert scores == pytest.approx(expected["stretch"], abs=TOLERANCES[name]), name
        if name != "square":
            for other in ("crop", "pad"):
                distance = np.abs(np.subtract(scores, expected[other])).max()
                assert distance > 2 * TOLERANCES[name], (name, other)


FITS = ("crop", "pad", "stretch")
TOLERANCES = {"square": 0.005, "wide": 0.03, "high": 0.03}
"""Pictures that are resized are resized by other code there."""


def draw_scene(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Draws two bright ends and a dark middle, of which a crop keeps the middle alone."""
    y, x = np.mgrid[:height, :width]
    along = x / width if width > height else y / height
    scene = np.empty((height, width, 3), np.uint8)
    scene[:] = np.where(np.abs(along - 0.5) < 0.25, 20, 235)[:, :, None]
    return scene


def classify(path: Path, picture: Path, spec: ImageSpec, fit: str) -> list[float]:
    """Classifies as `evaluate` would: the picture prepared by preprocess."""
    prepared = prepare_picture(
        picture.read_bytes(),
        PictureSpec(spec.width, 3, fit, spec.background, "png", 95, 10**6),
    )
    return list(Classifier(path).classify(np.asarray(prepared.image)))
