"""Folders become listings, or errors that say what to do."""

import os
import re

import pytest

from components.common.errors import UserError
from components.common.storage import beside
from components.preprocess.folders import list_folder
from components.preprocess.lists import list_file
from components.preprocess.sources import Listing, SourceRecord


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return str(folder)


def paths(listing: Listing) -> list[str]:
    return [record.path for record in listing.records]


def test_the_first_level_names_the_class_at_any_depth(tmp_path):
    listing = list_folder(touch(tmp_path, "b/2.png", "a/x/y/1.png", "a/0.png"))
    assert listing.class_names == ("a", "b")
    assert [(record.path, record.label) for record in listing.records] == [
        ("a/0.png", "a"),
        ("a/x/y/1.png", "a"),
        ("b/2.png", "b"),
    ]


def test_hidden_files_and_folders_are_left_out(tmp_path):
    listing = list_folder(touch(tmp_path, "a/1.png", "b/2.png", "a/.DS_Store", ".git/c.png"))
    assert paths(listing) == ["a/1.png", "b/2.png"]


def test_an_empty_folder_is_a_class(tmp_path):
    (tmp_path / "empty").mkdir()
    assert list_folder(touch(tmp_path, "a/1.png")).class_names == ("a", "empty")


def test_a_picture_outside_the_classes_has_no_label(tmp_path):
    listing = list_folder(touch(tmp_path, "a/1.png", "b/2.png", "stray.jpg", "README.md"))
    assert SourceRecord("stray.jpg", None) in listing.records
    assert "README.md" not in paths(listing)


def test_links_are_followed(tmp_path):
    touch(tmp_path / "elsewhere", "1.png", "deep/2.png")
    root = touch(tmp_path / "root", "b/3.png")
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "a")
    assert paths(list_folder(root)) == ["a/1.png", "a/deep/2.png", "b/3.png"]


def test_a_folder_linked_twice_is_searched_once_per_class(tmp_path):
    touch(tmp_path / "elsewhere", "1.png")
    root = touch(tmp_path / "root", "a/0.png", "b/3.png")
    for link in ("a/first", "a/second", "b/first"):
        os.symlink(tmp_path / "elsewhere", tmp_path / "root" / link)
    assert paths(list_folder(root)) == ["a/0.png", "a/first/1.png", "b/3.png", "b/first/1.png"]


def test_folders_in_which_a_list_may_name_pictures_are_refused_with_both_readings(tmp_path):
    root = touch(tmp_path, "images_001/1.png", "images_002/2.png", "labels.csv")
    with pytest.raises(UserError, match="labels.csv may say .* in 'images_001' and 'images_002'"):
        list_folder(root)
    assert len(list_folder(root, exclude=["*.csv"]).class_names) == 2
    assert list_folder(touch(tmp_path / "digits", "0/1.png", "1/2.png", "x.csv")).remarks


def test_what_is_packed_in_a_folder_of_its_own_is_named(tmp_path):
    with pytest.raises(UserError, match="single sub-folder; unpack data/test.zip"):
        list_folder(touch(tmp_path, "data/train.zip", "data/test.zip", "README.md"))


def test_a_folder_of_texts_takes_a_recipe_for_texts(tmp_path):
    root = touch(tmp_path, "a/1.txt", "b/2.txt", "readme.md")
    with pytest.raises(UserError, match="a/1.txt: holds texts; a recipe for them says task: text"):
        list_folder(root)
    assert len(list_folder(touch(tmp_path, "a/1.png")).records) == 3


def test_files_of_other_names_among_texts_are_told(tmp_path):
    root = touch(tmp_path, "ham/1.txt", "ham/1.json", "spam/2.txt")
    (remark,) = list_folder(root, task="text").remarks
    assert remark.endswith("1 of 3 texts are files of other names than .txt, such as ham/1.json")
    assert list_folder(root, task="text", exclude=["*.txt"]).remarks == ()


@pytest.mark.parametrize(
    ("picture", "annotation"),
    [
        ("images/train/1.jpg", "labels/train/1.txt"),  # YOLO.
        ("train/images/1.jpg", "train/labels/1.txt"),  # Roboflow's YOLO.
        ("train2017/1.jpg", "annotations/instances_train2017.json"),  # COCO.
        ("train/1.jpg", "annotations/instances_train.json"),
        ("JPEGImages/1.jpg", "Annotations/1.xml"),  # Pascal VOC.
        ("images/1.jpg", "masks/1.png"),
    ],
)
def test_what_is_annotated_for_detection_is_told_as_that(tmp_path, picture, annotation):
    path = touch(tmp_path, picture, annotation, picture.replace("train", "val"), "data.yaml")
    with pytest.raises(UserError, match=f": {annotation} seems to be an annotation, such as of"):
        list_folder(path)


@pytest.mark.parametrize("pictures", [["1.jpg"], ["images/1.jpg"], ["train/1.jpg", "test/2.jpg"]])
def test_of_several_lists_it_is_told_how_to_make_one(tmp_path, pictures):
    root = touch(tmp_path, *pictures, "test.csv", "train_labels.csv")
    by = "concat([read_csv('test.csv').assign(split='test'), read_csv('train_labels.csv').assign("
    with pytest.raises(UserError, match=f"with a column split .*{re.escape(by)}split='train'"):
        list_folder(root)


COCO = b'{"images": [{"file_name": "1.jpg"}], "annotations": [{}], "categories": [{}]}'


@pytest.mark.parametrize(
    ("pictures", "annotations"),
    [
        (["images/1.jpg"], "annotations.json"),
        (["images/train/1.jpg", "images/val/1.jpg"], "train.json"),
        (["train/1.jpg", "val/1.jpg"], "instances.JSON"),
        (["train/1.jpg", "valid/1.jpg"], "train/_annotations.coco.json"),
        (["1.jpg"], "_annotations.coco.json"),
    ],
)
def test_annotations_as_coco_has_them_are_told_as_that(tmp_path, pictures, annotations):
    root = touch(tmp_path, *pictures, annotations)
    (tmp_path / annotations).write_bytes(COCO)
    with pytest.raises(
        UserError, match=f"{annotations} holds annotations as COCO .* as data.list; "
    ):
        list_folder(root)
    (tmp_path / annotations).write_bytes(b"{}")
    with pytest.raises(UserError) as refused:
        list_folder(root)
    assert "COCO" not in str(refused.value)


def test_annotations_beside_classes_are_notes(tmp_path):
    root = touch(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "coco.json")
    (tmp_path / "coco.json").write_bytes(COCO)
    assert list_folder(root).class_names == ("cat", "dog")


def test_what_may_be_an_export_beside_a_single_folder_is_told_how_to_be_read(tmp_path):
    root = touch(tmp_path, "images/1.jpg", "project.json")
    with pytest.raises(UserError, match="say data.source: {kind: label_studio, path: .*/project.j"):
        list_folder(root)


def test_a_class_may_be_called_labels_and_notes_may_lie_beside_splits(tmp_path):
    files = ("train/labels/1.png", "train/jars/2.png", "val/labels/3.png", "data.yaml")
    assert list_folder(touch(tmp_path, *files)).class_names == ("jars", "labels")


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_loop_is_refused(tmp_path, target):
    root = touch(tmp_path, "a/deep/1.png", "b/2.png")
    os.symlink(target, tmp_path / "a" / "deep" / "loop")
    with pytest.raises(UserError, match=r"loop: this link leads back"):
        list_folder(root)


@pytest.mark.parametrize("target", ["nowhere.png", "broken.png"])
def test_a_link_that_leads_nowhere_is_a_record(tmp_path, target):
    root = touch(tmp_path, "a/1.png", "b/2.png")
    os.symlink(target, tmp_path / "a" / "broken.png")
    assert "a/broken.png" in paths(list_folder(root))


def test_a_file_whose_name_is_not_text_is_one_record_among_others(tmp_path):
    root = touch(tmp_path, "a/1.png", "b/2.png")
    with open(os.fsencode(tmp_path) + b"/a/\xff.png", "wb"):
        pass
    assert list_folder(root).records == (
        SourceRecord("a/1.png", "a"),
        SourceRecord("a/\\xff.png", "a", misnamed=True),
        SourceRecord("b/2.png", "b"),
    )
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(UserError, match=r"class folder b'\\xff' is not UTF-8; rename it"):
        list_folder(root)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("dog\nlarge", "U+000A"),
        ("dog\u2028large", "U+2028"),
        ("dog\x85", "U+0085"),
        ("do\u200bg", "U+200B"),
        ("\u202egod", "U+202E"),
        (" ", "U+0020"),
        ("\u3000", "U+3000"),
    ],
)
def test_a_class_that_no_list_of_labels_could_hold_is_refused(tmp_path, name, code):
    root = touch(tmp_path, "cat/1.png", f"{name}/2.png")
    with pytest.raises(UserError) as refused:
        list_folder(root)
    assert f"the class folder {ascii(name)} holds {code}" in str(refused.value)


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing: there is no such folder"):
        list_folder(str(tmp_path / "missing"))
    with pytest.raises(UserError, match="has no sub-folders, only files such as 1.png; put the"):
        list_folder(touch(tmp_path / "flat", "1.png"))
    with pytest.raises(UserError, match="only files such as 1.png; unpack pets.ZIP$"):
        list_folder(touch(tmp_path / "flat", "pets.ZIP"))
    with pytest.raises(UserError, match="if x.csv says what they are, give that as data.list$"):
        list_folder(touch(tmp_path / "flat", "x.csv"))
    with pytest.raises(UserError, match="if one of x.csv and y.tsv says .*each line is of, and gi"):
        list_folder(touch(tmp_path / "flat", "y.tsv"))
    with pytest.raises(UserError, match="x.csv may say what the pictures in 'images' are; give"):
        list_folder(touch(tmp_path / "kaggle", "x.csv", "images/1.png"))
    with pytest.raises(UserError, match="1.png: is a file, where a folder is expected; unpack"):
        list_folder(str(tmp_path / "flat" / "1.png"))
    with pytest.raises(UserError, match="single class, 'a'"):
        list_folder(touch(tmp_path / "one", "a/1.png"))
    above = touch(tmp_path / "above", "flowers/rose/1.png", "flowers/tulip/1.png")
    with pytest.raises(UserError, match="'rose' and 'tulip' in it are the classes, .*/flowers$"):
        list_folder(above)
    (tmp_path / "void" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no pictures"):
        list_folder(str(tmp_path / "void"))


def test_what_litesmith_is_writing_is_passed_over_without_a_word(tmp_path):
    before = list_folder(touch(tmp_path, "a/1.png", "b/2.png"))
    with beside(tmp_path / "a" / "2.png") as partial:
        partial.write_bytes(b"half")
        assert list_folder(str(tmp_path)) == before


def test_litter_is_passed_over_and_counted(tmp_path):
    root = touch(
        tmp_path,
        "a/1.png",
        "b/2.png",
        "a/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg",
        "b/@eaDir/2.png/SYNOPHOTO_THUMB_M.jpg",
        "b/Thumbs.db",
        "b/thumbs.db.png",
        "__MACOSX/a/._1.png",
        "$Recycle.Bin/3.png",
        "lost+found/4.png",
        ".ipynb_checkpoints/1.png",
        "a/._1.png",
        "a/.DS_Store",
    )
    listing = list_folder(root)
    assert paths(listing) == ["a/1.png", "b/2.png", "b/thumbs.db.png"]
    assert listing.class_names == ("a", "b")
    assert listing.passed_over == {
        "$RECYCLE.BIN": 1, "@eaDir": 2, "Thumbs.db": 1, "__MACOSX": 1, "hidden": 3,
        "lost+found": 1,
    }  # fmt: skip


def test_what_is_passed_over_is_not_looked_into(tmp_path):
    root = touch(tmp_path, "a/1.png", "b/2.png")
    for name in ("lost+found", "c"):
        os.symlink(".", tmp_path / name)  # A loop: to be refused once it is looked into.
    with pytest.raises(UserError, match=r"c: this link leads back"):
        list_folder(root)
    assert list_folder(root, exclude=["c"]).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("pattern", "left", "count"),
    [
        ("raw", ["a/1.png", "b/1.tmp.png", "b/2.png", "b/x/raw.png"], 2),
        ("*.tmp.*", ["a/1.png", "a/raw/3.png", "b/2.png", "b/x/raw.png", "raw/5.png"], 1),
        ("b/x", ["a/1.png", "a/raw/3.png", "b/1.tmp.png", "b/2.png", "raw/5.png"], 1),
        ("a/*/*", ["a/1.png", "b/1.tmp.png", "b/2.png", "b/x/raw.png", "raw/5.png"], 1),
        ("B", ["a/1.png", "a/raw/3.png", "b/1.tmp.png", "b/2.png", "b/x/raw.png", "raw/5.png"], 0),
    ],
)
def test_what_is_excluded_is_passed_over_and_counted(tmp_path, pattern, left, count):
    root = touch(
        tmp_path, "a/1.png", "a/raw/3.png", "b/2.png", "b/1.tmp.png", "b/x/raw.png", "raw/5.png"
    )
    listing = list_folder(root, exclude=[pattern])
    assert paths(listing) == left
    assert listing.passed_over == {f"exclude {pattern}": count}
    rows = "".join(f"{path},{path[0]}\n" for path in paths(list_folder(root)))
    (tmp_path / "list.csv").write_text("path,label\n" + rows)
    assert paths(list_file(str(tmp_path / "list.csv"), exclude=[pattern])) == left


# --- splits ------------------------------------------------------------------------------


def test_folders_named_like_splits_over_class_folders_state_splits(tmp_path):
    root = touch(
        tmp_path, "Train/a/1.png", "Train/b/x/2.png", "val/a/3.png", "testing/b/4.png",
        "train.csv", "val/stray.png",
    )  # fmt: skip
    (tmp_path / "Train" / "c").mkdir()
    listing = list_folder(root)
    assert listing.class_names == ("a", "b", "c")
    assert listing.records == (
        SourceRecord("Train/a/1.png", "a", "train"),
        SourceRecord("Train/b/x/2.png", "b", "train"),
        SourceRecord("testing/b/4.png", "b", "test"),
        SourceRecord("val/a/3.png", "a", "validation"),
        SourceRecord("val/stray.png", None),
    )
    understood, deep, unread = listing.remarks
    assert "Train (train), testing (test) and val (validation)" in understood
    assert deep.endswith("classes are searched in depth: Train/b/x/2.png is of 'b'")
    assert "nothing is made of train.csv; where that names them, give it as data.list" in unread


def test_a_folder_linked_into_two_classes_of_a_split_is_searched_for_each(tmp_path):
    touch(tmp_path / "elsewhere", "1.png")
    root = touch(tmp_path / "root", "train/a/0.png", "train/b/3.png")
    for link in ("train/a/first", "train/a/second", "train/b/first"):
        os.symlink(tmp_path / "elsewhere", tmp_path / "root" / link)
    assert paths(list_folder(root)) == [
        "train/a/0.png", "train/a/first/1.png", "train/b/3.png", "train/b/first/1.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        (["train/a/1.png", "test/a/2.png", "cat/3.png"], "'cat' beside them can only be classes"),
        (["train/1.png", "test/2.png"], "'test' and 'train' have no sub-folders"),
        (["train/a/1.png", "train/b/1.png", "test/2.png"], "'test' has no sub-folders"),
        (["val/a/1.png", "test/a/2.png"], "none of them is for training"),
        (["train/a/1.png", "test/b/2.png"], "test has 'b', which no training split has"),
        (["train/\u00e9/1.png", "test/e\u0301/2.png"], r"test has 'e\u0301', which no"),
        (["cat/1.png", "dog/2.png", "test/3.png"], "'cat' and 'dog' beside them"),
        (["car/1.png", "train/steam/2.png"], "'car' beside them"),
        (["train/cat.0.jpg", "test1/1.jpg"], "'test1' is not called as splits are: train, "),
        (["train2017/1.jpg", "ValSet/2.jpg"], "'ValSet' and 'train2017' are not called as"),
        (["train/1.jpg", "test/2.jpg", "x.csv"], "in a data.list (there is x.csv)"),
    ],
)
def test_folders_that_may_be_splits_or_classes_are_refused(tmp_path, files, doubt):
    with pytest.raises(UserError) as refused:
        list_folder(touch(tmp_path, *files))
    for part in (doubt, "may be splits of one data set, or classes", "rename them", "data.exclude"):
        assert part in str(refused.value)


def test_a_word_of_a_split_in_a_class_s_name_is_no_split(tmp_path):
    files = ("test tube/1.png", "testing/2.png", "trainer/3.png", "jar/4.png")
    with pytest.raises(UserError, match="'jar', 'test tube' and 'trainer' beside them"):
        list_folder(touch(tmp_path, *files))
    assert len(list_folder(str(tmp_path), exclude=["testing"]).class_names) == 3


def test_a_train_is_a_vehicle_beside_others(tmp_path):
    listing = list_folder(touch(tmp_path, "car/1.png", "train/2.png", "ship/3.png"))
    assert listing.class_names == ("car", "ship", "train")
    assert listing.remarks == ()


def test_what_is_no_split_can_be_excluded(tmp_path):
    root = touch(tmp_path, "train/a/1.png", "train/b/2.png", "test/3.png", "notes/4.png")
    listing = list_folder(root, exclude=["test", "notes"])
    assert {(record.label, record.split) for record in listing.records} == {
        ("a", "train"), ("b", "train"),
    }  # fmt: skip
