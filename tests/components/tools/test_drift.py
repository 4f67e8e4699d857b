"""drift: a file against the bundle that it was made from, on pictures in folders."""

from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from components.common.errors import UserError
from components.common.models.bundles import load_bundle_model
from components.quantize.conversion import convert_model
from components.tools.drift import PICTURES, drift
from components.tools.pictures import LabelledPicture, list_pictures
from pipeline.terminal.lite_views import drift_view
from tests.builders.bundles import read_split
from tests.builders.synthetic import CLASS_NAMES, draw_picture
from tests.builders.tflite_models import build_classifier
from tests.components.conftest import TrainedModel


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPicture, ...]:
    folder = tmp_path_factory.mktemp("pictures")
    for label, name in enumerate(CLASS_NAMES):
        (folder / name).mkdir()
        for seed in range(14):
            picture = draw_picture(label, seed, low=60, high=187).squeeze()
            Image.fromarray(picture).save(folder / name / f"{seed:02}.png")
    (folder / CLASS_NAMES[0] / "00.png").write_bytes(b"no picture")
    return list_pictures(folder, None)


def test_the_layer_that_was_broken_is_named_in_words(
    trained: TrainedModel, pictures: tuple[LabelledPicture, ...], tmp_path: Path
) -> None:
    model = load_bundle_model(trained.dense)
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias + 5000])
    examples, _, _ = read_split(trained.context, trained.manifest, "train")
    examples[0, 0, 0], examples[0, -1, -1] = 0, 255
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_model(model, trained.bundle("dense").input, "int8", examples[:20]))
    found = drift(trained.dense, path, pictures)
    assert found.pictures == PICTURES - 1
    assert found.unreadable == ("bar/00.png",)
    assert found.finding.layer == "head"
    console = Console(width=160, record=True)
    console.print(drift_view(found))
    said = console.export_text()
    assert "← parts here" in next(line for line in said.splitlines() if "FULLY_CONNECTED" in line)


def test_a_keras_file_is_no_bundle(pictures: tuple[LabelledPicture, ...], tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(UserError, match="expected a model bundle"):
        drift(tmp_path / "model.keras", tmp_path / "model.tflite", pictures)


def test_a_file_of_other_pictures_is_refused(
    trained: TrainedModel, pictures: tuple[LabelledPicture, ...], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        drift(trained.dense, tmp_path / "missing.tflite", pictures)


def test_a_file_of_other_classes_is_refused(
    trained: TrainedModel, pictures: tuple[LabelledPicture, ...], tmp_path: Path
) -> None:
    path = tmp_path / "five.tflite"
    path.write_bytes(build_classifier(size=16, channels=1, classes=5))
    with pytest.raises(
        UserError, match=r"five\.tflite: tells 5 classes apart, the model of .* 3: "
    ):
        drift(trained.dense, path, pictures)
