"""`compare` on models that judge a picture's brightness, each from a threshold of its own."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.errors import UserError
from components.common.statistics.noninferiority import drop_upper_bound
from components.common.tasks.image.normalization import Normalization
from components.tools.compare import compare
from components.tools.documents import Comparison
from components.tools.pictures import list_pictures
from tests.builders.tflite_models import build_brightness_judge, build_classifier

RAW = Normalization()
LEVELS = range(10, 250, 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 even pictures in two classes: dark below an intensity of 128, light above."""
    for level in LEVELS:
        label = "light" if level > 128 else "dark"
        path = tmp_path / "pictures" / label / f"{level:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), level, np.uint8)).save(path)
    return tmp_path / "pictures"


def judge(folder: Path, name: str, *, labels: tuple[str, ...] = (), **settings: object) -> Path:
    archive = io.BytesIO()
    if labels:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("labels.txt", "".join(f"{label}\n" for label in labels))
    path = folder / name
    path.write_bytes(build_brightness_judge(**settings) + archive.getvalue())  # type: ignore[arg-type]
    return path


def run(first: Path, second: Path, folder: Path, margin: float | None = None) -> Comparison:
    pictures = list_pictures(folder, None)
    return compare(first, second, pictures, normalization=RAW, margin=margin)


def test_answers_lost_and_won_are_those_that_the_thresholds_give(
    folder: Path, tmp_path: Path
) -> None:
    first = judge(tmp_path, "first.tflite", threshold=145.0)  # Wrong of 130 and 140.
    second = judge(tmp_path, "second.tflite", threshold=95.0)  # Wrong of 100, 110 and 120.
    found = run(first, second, folder)
    assert (found.pictures, found.lost, found.won) == (24, 3, 2)
    assert found.drop == pytest.approx(1 / 24)
    assert found.agreement == pytest.approx(19 / 24)
    assert [model.accuracy.value for model in found.models] == pytest.approx([22 / 24, 21 / 24])
    assert {(flip.picture, flip.first, flip.second) for flip in found.flips} == {
        *((f"dark/{level}.png", "dark", "light") for level in (100, 110, 120)),
        *((f"light/{level}.png", "dark", "light") for level in (130, 140)),
    }
    assert found.upper_bound == drop_upper_bound(3, 2, examples=24, alpha=0.05)
    assert (found.margin, found.proven) == (None, None)


def test_a_margin_is_proven_where_the_bound_lies_below_it(folder: Path, tmp_path: Path) -> None:
    first, same = (judge(tmp_path, name, threshold=128.0) for name in ("a.tflite", "b.tflite"))
    bound = run(first, same, folder).upper_bound
    assert 0.1 < bound < 0.13, "24 pictures prove little, however alike the answers are"
    assert run(first, same, folder, margin=bound + 0.001).proven is True
    assert run(first, same, folder, margin=bound - 0.001).proven is False


@pytest.mark.parametrize("size", [8, 24])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_each_model_sees_a_picture_in_its_own_size_and_type(
    size: int, channels: int, dtype: str, folder: Path, tmp_path: Path
) -> None:
    first = judge(tmp_path, "first.tflite", threshold=95.0)
    second = judge(
        tmp_path, "second.tflite", threshold=95.0, size=size, channels=channels, dtype=dtype
    )
    found = run(first, second, folder)
    assert (found.agreement, found.lost, found.won) == (1.0, 0, 0)
    assert found.models[1].accuracy.value == pytest.approx(21 / 24)


def test_pixels_are_shifted_and_scaled_as_the_network_wants_them(
    folder: Path, tmp_path: Path
) -> None:
    model = judge(tmp_path, "model.tflite", threshold=0.0)  # Of pixels around 0.
    pictures = list_pictures(folder, None)
    normalization = Normalization(mean=127.5, std=127.5)
    assert compare(model, model, pictures, normalization=RAW).models[0].accuracy.value == 0.5
    found = compare(model, model, pictures, normalization=normalization)
    assert found.models[0].accuracy.value == 1.0


def test_labels_of_the_file_say_which_class_an_output_is(folder: Path, tmp_path: Path) -> None:
    first = judge(tmp_path, "first.tflite", threshold=128.0, labels=("dark", "light"))
    swapped = judge(tmp_path, "swapped.tflite", threshold=128.0, labels=("light", "dark"))
    found = run(first, swapped, folder)
    assert (found.lost, found.won, found.agreement) == (24, 0, 0.0)


def test_pictures_of_a_class_that_the_model_does_not_know_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    model = judge(tmp_path, "model.tflite", labels=("dark", "bright"))
    with pytest.raises(UserError, match=r"model\.tflite: knows no class light"):
        run(model, model, folder)
    three = tmp_path / "three.tflite"
    three.write_bytes(build_classifier(classes=3))
    with pytest.raises(UserError, match=r"three\.tflite: has 3 classes and no labels"):
        run(three, three, folder)


def test_pictures_that_cannot_be_decoded_are_left_out_and_named(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "dark" / "broken.png").write_bytes(b"no picture")
    model = judge(tmp_path, "model.tflite", threshold=128.0)
    found = run(model, model, folder)
    assert (found.pictures, found.unreadable) == (24, ("dark/broken.png",))


def test_nothing_but_broken_pictures_is_refused(tmp_path: Path) -> None:
    for label in ("dark", "light"):
        (tmp_path / "broken" / label).mkdir(parents=True)
        (tmp_path / "broken" / label / "a.png").write_bytes(b"no picture")
    model = judge(tmp_path, "model.tflite")
    with pytest.raises(UserError, match="none of 2 pictures can be decoded"):
        run(model, model, tmp_path / "broken")


def test_a_list_names_pictures_beside_it(folder: Path, tmp_path: Path) -> None:
    (folder / "list.csv").write_text("path,label\ndark/010.png,dark\nlight/240.png,light\n")
    assert [(one.name, one.label) for one in list_pictures(None, folder / "list.csv")] == [
        ("dark/010.png", "dark"),
        ("light/240.png", "light"),
    ]
    model = judge(tmp_path, "model.tflite", threshold=128.0)
    pictures = list_pictures(None, folder / "list.csv")
    assert compare(model, model, pictures, normalization=RAW).pictures == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,dark\n", "expected the columns path and label"),
        ("path,label\na.png,dark\nb.png,\n", "line 3 has none"),
        ("path,label\n", "holds no pictures"),
    ],
)
def test_a_list_that_lacks_something_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        list_pictures(None, tmp_path / "list.csv")


def test_a_picture_of_the_list_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "list.csv").write_text("path,label\ndark/010.png,dark\nlight/none.png,light\n")
    model = judge(tmp_path, "model.tflite")
    pictures = list_pictures(None, folder / "list.csv")
    with pytest.raises(UserError, match=r"none\.png: there is no such picture"):
        compare(model, model, pictures, normalization=RAW)


def test_folders_without_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        list_pictures(tmp_path / "none", None)
    with pytest.raises(UserError, match="a sub-folder for each of at least two classes"):
        list_pictures(tmp_path, None)
    with pytest.raises(UserError, match="either --data DIR or --list FILE"):
        list_pictures(None, None)
