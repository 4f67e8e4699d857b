"""TFRecord files with named features, and TensorFlow Datasets' folders."""

import io
import json

import pytest

from components.common.data.features import encode_features
from components.common.data.records import write_record
from components.common.errors import UserError
from components.preprocess.kinds import StoredColumns, TFDSSource, TFRecordSource
from components.preprocess.layouts import list_folder_as_told, list_source
from tests.components.preprocess.folders import CLASSES
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain

NAMED = StoredColumns(image="image/encoded", label="image/class/label")


def tfrecord(features):
    buffer = io.BytesIO()
    for values in features:
        write_record(buffer, encode_features(values))
    return buffer.getvalue()


def by_split():
    return {
        split: [e for e in examples() if e.split == split]
        for split in ("train", "validation", "test")
    }


@pytest.fixture
def plain(tmp_path):
    return seen(list_folder_as_told(write_plain(tmp_path / "plain")))


def test_features_that_the_recipe_names(tmp_path, plain):
    files = {
        f"shapes-{split}.tfrecord-00000-of-00001": tfrecord(
            {
                "image/encoded": e.data,
                "image/class/label": CLASSES.index(e.label),
                "image/height": 16,
            }
            for e in own
        )
        for split, own in by_split().items()
    }
    source = TFRecordSource(
        kind="tfrecord", path=write(tmp_path / "x", files), features=NAMED, class_names=CLASSES
    )
    assert seen(list_source(source)) == plain
    with pytest.raises(UserError, match=r"has image/class/label \(whole numbers\), image/encoded"):
        list_folder_as_told(source.path)
    named = source.model_copy(update={"features": StoredColumns(image="picture", label="label")})
    with pytest.raises(UserError, match="example 0: has 0 values of the feature 'picture'"):
        list_source(named)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            tfrecord([{"image": b"1", "label": 0}])[:-1],
            "^[^:]*: damaged record 0; expected a whole",
        ),
        (b"\x1f\x8b\x08\0", "compressed as a whole"),
        (tfrecord([{"image": b"1", "label": 0}]).replace(b"image", b"imago"), "damaged record 0"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, data, message):
    path = write(tmp_path, {"x.tfrecord": data})
    features = StoredColumns(image="image", label="label")
    with pytest.raises(UserError, match=message):
        list_source(TFRecordSource(kind="tfrecord", path=path, features=features))


def write_tfds(folder, *, stored="tfrecord", lengths=None):
    files = {}
    for split, own in by_split().items():
        content = tfrecord({"image": e.data, "label": CLASSES.index(e.label)} for e in own)
        files[f"shapes-{split}.tfrecord-00000-of-00001"] = content
    counts = lengths or {split: len(own) for split, own in by_split().items()}
    splits = [{"name": split, "shardLengths": [str(n)]} for split, n in counts.items()]
    splits.append({"name": "unlabelled", "shardLengths": []})
    module = "tensorflow_datasets.core.features"
    features = {
        "image": {"pythonClassName": f"{module}.image_feature.Image"},
        "label": {"pythonClassName": f"{module}.class_label_feature.ClassLabel"},
        "id": {"pythonClassName": f"{module}.text_feature.Text"},
    }
    texts = {
        "dataset_info.json": json.dumps({"name": "shapes", "fileFormat": stored, "splits": splits}),
        "features.json": json.dumps({"featuresDict": {"features": features}}),
        "label.labels.txt": "\n".join(CLASSES),
    }
    return write(folder, {**files, **{name: text.encode() for name, text in texts.items()}})


def test_a_data_set_of_tensorflow_datasets(tmp_path, plain):
    listing = list_folder_as_told(write_tfds(tmp_path / "tfds"))
    assert seen(listing) == plain
    assert "unlabelled is no split" in listing.remarks[1]


def test_a_data_set_that_is_not_whole_or_stored_otherwise_is_refused(tmp_path):
    short = {"train": 15, "validation": 3, "test": 7}
    with pytest.raises(UserError, match="holds 6 examples, where dataset_info.json names 7"):
        list_folder_as_told(write_tfds(tmp_path / "short", lengths=short))
    with pytest.raises(UserError, match="stored as array_record"):
        list_folder_as_told(write_tfds(tmp_path / "other", stored="array_record"))
    path = write_tfds(tmp_path / "lost")
    (tmp_path / "lost" / "shapes-test.tfrecord-00000-of-00001").unlink()
    with pytest.raises(UserError, match=r"shapes-test.tfrecord-00000-of-00001: is missing, though"):
        list_folder_as_told(path)
    with pytest.raises(UserError, match="holds lost, other and short; give the folder of one ver"):
        list_source(TFDSSource(kind="tfds", path=str(tmp_path)))


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("label.labels.txt", b"\xe9\nb\nc", "label.labels.txt: is not UTF-8 text"),
        ("features.json", b'{"featuresDict": {"features": ["x"]}}', "seems to hold the images"),
        ("dataset_info.json", b'{"supervisedKeys": null}', "does not say which splits"),
        ("dataset_info.json", b'{"supervisedKeys": {"tuple": 3}}', "does not say which splits"),
    ],
)
def test_a_data_set_whose_documents_say_nonsense_is_refused(tmp_path, file, data, message):
    path = write_tfds(tmp_path)
    write(tmp_path, {file: data})
    with pytest.raises(UserError, match=message):
        list_folder_as_told(path)


def test_names_of_classes_are_read_as_the_library_does(tmp_path):
    path = write_tfds(tmp_path)
    write(tmp_path, {"label.labels.txt": b"bar \r\n\ncross\nodd\x0cdisc\n"})
    with pytest.raises(UserError, match=r"the label 'odd\\x0cdisc' holds U\+000C"):
        list_folder_as_told(path)


def test_features_as_older_versions_wrote_them(tmp_path, plain):
    path = write_tfds(tmp_path / "tfds")
    module = "tensorflow_datasets.core.features"
    kinds = {"image": "image_feature.Image", "label": "class_label_feature.ClassLabel"}
    content = {name: {"type": f"{module}.{kind}"} for name, kind in kinds.items()}
    for form in (content, json.dumps({"features": content})):
        (tmp_path / "tfds" / "features.json").write_text(json.dumps({"content": form}))
        assert seen(list_folder_as_told(path)) == plain
