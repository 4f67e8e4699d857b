"""What a data set's examples are, as a run finds it and as a schema is inferred from it."""

import csv
import hashlib
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from components.common.documents import paths
from components.common.documents.data_schema import DataSchema, Range
from components.common.documents.paths import read_paths, write_paths
from components.common.documents.profile import DataProfile
from components.common.errors import UserError
from components.preprocess import profile
from components.preprocess.config import PreprocessConfig
from components.preprocess.inference import infer_schema
from components.validate.schema import find_off_schema
from tests.components.preprocess.folders import preprocess, write_folder


def infer(**values: object) -> DataSchema:
    return infer_schema(PreprocessConfig.model_validate(values))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Thirty grey PNG files of 48 by 48, and some that are not."""
    source = write_folder(tmp_path / "source", per_class=10, size=48)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.effect_noise((90, 60), 50).convert("RGB").save(source / "bar" / "side.jpg", exif=exif)
    Image.effect_noise((48, 48), 50).convert("P").save(source / "disc" / "film.gif")
    return source


def test_a_run_tells_formats_modes_and_ends_with_paths(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(profile, "_TOLD", 2)
    preprocess(tmp_path, folder=str(pictures), image_size=32)
    found = DataProfile.read(tmp_path / "dataset")
    counts = {name: {w: s.examples for w, s in own.items()} for name, own in found.values.items()}
    assert counts == {
        "format": {"PNG": 30, "JPEG": 1, "GIF": 1},
        "mode": {"L": 30, "P": 1, "RGB": 1},
    }
    assert found.values["format"]["JPEG"].paths == ("bar/side.jpg",)
    assert len(found.values["format"]["PNG"].paths) == profile._NAMED
    height = found.ranges["height"]  # Of the picture once it is upright.
    assert [(each.path, each.value) for each in height.greatest][0] == ("bar/side.jpg", 90)
    assert len(height.greatest) == len(height.least) == 2 and height.least[0].value == 48


def test_what_is_inferred_is_what_a_run_finds(tmp_path, pictures):
    (pictures / "disc" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")  # A run rejects it.
    schema = infer(folder=str(pictures))
    assert schema == DataSchema(
        classes=("bar", "cross", "disc"),
        values={"format": ("GIF", "JPEG", "PNG"), "mode": ("L", "P", "RGB")},
        ranges={"width": Range(least=24, most=120), "height": Range(least=24, most=180)},
    )
    manifest = preprocess(tmp_path, folder=str(pictures), image_size=32, max_reject_share=0.1)
    assert not list(find_off_schema(manifest, DataProfile.read(tmp_path / "dataset"), schema))
    exactly = {"values": {"format": ("PNG",), "mode": ("L",)}, "ranges": {}}
    strict = schema.model_copy(update=exactly)
    found = list(find_off_schema(manifest, DataProfile.read(tmp_path / "dataset"), strict))
    assert [message.split(",")[0] for message in found] == [
        "1 of the pictures has the format GIF",
        "1 of the pictures has the format JPEG",
        "1 of the pictures has the mode P",
        "1 of the pictures has the mode RGB",
    ]


def test_sizes_that_are_the_same_throughout_are_to_stay_so(tmp_path):
    source = write_folder(tmp_path / "source", per_class=1)
    assert infer(folder=str(source)).ranges == dict.fromkeys(
        ("width", "height"), Range(least=16, most=16)
    )


def test_texts_have_a_script_and_a_length(tmp_path):
    texts = ["Guten Tag, 12", "Добрый day", "42!", "\u3042い", "ꯃꯤꯇꯩ"] * 4
    with (tmp_path / "texts.csv").open("w", encoding="utf-8") as file:
        rows = [[f"{text} {n}", "ab"[n % 2]] for n, text in enumerate(texts)]
        csv.writer(file).writerows([["text", "label"], *rows])
    schema = infer(text={}, list=str(tmp_path / "texts.csv"))
    scripts = ("CYRILLIC", "HIRAGANA", "LATIN", "none", "other")
    assert schema.values == {"script": scripts}
    assert schema.ranges == {"characters": Range(least=2, most=32)}
    manifest = preprocess(tmp_path, text={}, list=str(tmp_path / "texts.csv"))
    found = DataProfile.read(tmp_path / "dataset")
    assert {script: seen.examples for script, seen in found.values["script"].items()} == (
        dict.fromkeys(scripts, 4)
    )
    assert found.ranges["characters"].greatest[0].value == 16
    assert not list(find_off_schema(manifest, found, schema))


def test_a_source_without_examples_has_no_schema(tmp_path):
    source = write_folder(tmp_path / "source", per_class=1)
    for path in source.rglob("*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + path.parent.name.encode())
    with pytest.raises(UserError, match="no example can be opened"):
        infer(folder=str(source))


def test_examples_of_training_and_validation_are_found_by_their_ids(tmp_path):
    source = write_folder(tmp_path / "source", per_class=10)
    manifest = preprocess(tmp_path, folder=str(source))
    ids = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in source.rglob("*.png")}
    found = read_paths(tmp_path / "dataset", ids)
    assert all(source / path == ids[id_] for id_, path in found.items())
    assert len(found) == manifest.splits["train"].examples + manifest.splits["validation"].examples
    one = next(iter(found))
    assert read_paths(tmp_path / "dataset", {one}) == {one: found[one]}


def test_there_is_room_for_the_first_examples_of_each_split(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "_MOST", 2)
    write_paths(tmp_path, [[("a", "1.png"), ("b", "2.png"), ("c", "3.png")], [("d", "ü 4.png")]])
    known = {"a": "1.png", "b": "2.png", "d": "ü 4.png"}
    assert read_paths(tmp_path, {"a", "b", "c", "d"}) == known
