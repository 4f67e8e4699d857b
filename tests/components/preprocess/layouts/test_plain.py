"""What every layout is measured by, and what is refused because it may be read in two ways."""

import pytest

from components.common.errors import UserError
from components.preprocess.kinds import FoldersSource
from components.preprocess.layouts import list_folder_as_told, list_source
from tests.components.preprocess.folders import CLASSES
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain


def test_folders_are_what_the_others_must_come_to(tmp_path):
    told = seen(list_folder_as_told(write_plain(tmp_path)))
    assert told.class_names == CLASSES and told.rejects == 0 and len(told.examples) == 24
    assert {(label, split) for _, label, split in told.examples} == {
        (e.label, e.split) for e in examples()
    }
    stated = list_source(FoldersSource(kind="folders", path=str(tmp_path)))
    assert seen(stated) == told


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("images.tar", "kind webdataset"),
        ("train/x.parquet", "kind parquet"),
        ("x.tfrecord-00000-of-00002", "kind tfrecord"),
    ],
)
def test_containers_beside_class_folders_are_refused_with_both_readings(tmp_path, file, named):
    source = write(tmp_path / "source", {"cat/1.png": b"1", "dog/1.png": b"2", file: b""})
    with pytest.raises(UserError) as refused:
        list_folder_as_told(source)
    for part in (
        "one sub-folder per class (there is ",
        "kind folders",
        file,
        named,
        "data.exclude",
    ):
        assert part in str(refused.value)
    listing = list_folder_as_told(source, exclude=[file])
    assert len(listing.records) == 2


@pytest.mark.parametrize(
    ("file", "folder", "words"),
    [
        ("mnist/train-00000-of-00001.parquet", "mnist", "Parquet files"),
        ("snapshots/0f/train/x.parquet", "snapshots/0f", "Parquet files"),
        ("shards/test/x.tar", "shards", "tar files"),
        ("images/metadata.csv", "images", "pictures with metadata"),
        ("data/train/metadata.csv", "data", "pictures with metadata"),
        ("beans/0.1.0/dataset_info.json", "beans/0.1.0", "a data set of TensorFlow Datasets"),
    ],
)
def test_a_folder_above_the_one_that_is_meant_names_it(tmp_path, file, folder, words):
    path = write(tmp_path, {file: b"", f"{folder}/features.json": b"", f"{folder}/x.txt": b"0f"})
    with pytest.raises(UserError) as refused:
        list_folder_as_told(path)
    told = str(refused.value)
    assert told.startswith(
        f"{path}: holds no folders of classes, but {file}, which tells of {words}"
    )
    assert told.endswith(f"; give {path}/{folder}")


def test_a_data_set_that_was_saved_to_disk_is_told_how_to_be_read(tmp_path):
    """By Hugging Face's library, as Arrow's files."""
    saved = ("data-00000-of-00001.arrow", "dataset_info.json", "state.json")
    message = r": holds {}data-00000-of-00001\.arrow, a file of Arrow, .* by to_parquet\('train"
    for path in ("", "train/"):
        source = write(tmp_path / f"x{path}", {f"{path}{name}": b"{}" for name in saved})
        with pytest.raises(UserError, match=message.format(path)):
            list_folder_as_told(source)
    with pytest.raises(UserError, match="which tells of a saved data set of .*; give .*/rotten$"):
        list_folder_as_told(write(tmp_path / "y", {f"rotten/train/{name}": b"" for name in saved}))


def test_so_does_one_that_holds_that_folder_alone(tmp_path):
    files = {"images/1.png": b"1", "images/metadata.csv": b"file_name,label\n1.png,a\n"}
    with pytest.raises(UserError, match="images/metadata.csv, which tells of pictures with meta"):
        list_folder_as_told(write(tmp_path / "x", files))
    files = {"all/cat/1.png": b"1", "all/dog/2.png": b"2", "all/cat/raw.tar": b""}
    with pytest.raises(UserError, match="'cat' and 'dog' in it are the classes"):
        list_folder_as_told(write(tmp_path / "y", files))


@pytest.mark.parametrize(
    ("first", "second"),
    [(("fold0", "fold1"), ("cat", "dog")), (("cat", "dog"), ("train",)), (("cat", "dog"), "xy")],
)
def test_folders_that_each_hold_the_same_ones_are_refused_with_both_readings(
    tmp_path, first, second
):
    files = {f"{a}/{b}/{a}{b}.png": b"1" for a in first for b in second}
    path = write(tmp_path, files)
    with pytest.raises(UserError, match=f"'{first[0]}' and '{first[1]}' each hold '{second[0]}'"):
        list_folder_as_told(path)
    stated = list_source(FoldersSource(kind="folders", path=path))
    assert stated.class_names == first
    write(tmp_path, {f"{first[0]}/one.png": b"", "other/own/1.png": b"1"})
    assert list_folder_as_told(path).class_names == (*first, "other")


def test_what_lies_deeper_or_is_packed_as_a_whole_tells_of_no_layout(tmp_path):
    files = {"cat/1.png": b"1", "dog/1.png": b"2", "cat/raw.tar": b"", "all.tar.gz": b""}
    listing = list_folder_as_told(write(tmp_path, files))
    assert [record.path for record in listing.records] == ["cat/1.png", "cat/raw.tar", "dog/1.png"]
