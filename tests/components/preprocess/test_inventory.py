"""Contents, duplicates and the fingerprint of a source."""

import shutil
import sys

import pytest
from PIL import Image

from components.common.documents.rejects import Reject
from components.preprocess.folders import list_folder
from components.preprocess.inventory import Inventory, take_inventory
from components.preprocess.lists import list_file
from tests.components.preprocess.folders import encode, shape_png, write_folder


def take(listing) -> Inventory:
    return take_inventory(listing, max_file_bytes=1 << 20, report=lambda done, total: None)


def test_the_fingerprint_depends_on_content_and_names_not_on_the_place(tmp_path):
    first = take(list_folder(str(write_folder(tmp_path / "first"))))
    assert (
        first.fingerprint == take(list_folder(str(write_folder(tmp_path / "second")))).fingerprint
    )
    (tmp_path / "second" / "bar" / "000.png").rename(tmp_path / "second" / "bar" / "renamed.png")
    renamed = take(list_folder(str(tmp_path / "second")))
    (tmp_path / "first" / "bar" / "000.png").write_bytes(shape_png(0, 99))
    changed = take(list_folder(str(tmp_path / "first")))
    assert len({first.fingerprint, renamed.fingerprint, changed.fingerprint}) == 3


def test_the_fingerprint_knows_what_no_decoder_was_there_for(tmp_path, monkeypatch):
    folder = write_folder(tmp_path)
    plain = take(list_folder(str(folder)))
    (folder / "bar" / "1.avif").write_bytes(encode(Image.new("RGB", (16, 16)), "AVIF"))
    read = take(list_folder(str(folder)))
    monkeypatch.setitem(sys.modules, "PIL._avif", None)
    rejected = take(list_folder(str(folder)))
    assert (read.rejects, [reject.reason for reject in rejected.rejects]) == (
        (),
        ["unsupported_format"],
    )
    assert len({plain.fingerprint, read.fingerprint, rejected.fingerprint}) == 3


def test_a_list_and_a_folder_of_the_same_records_are_the_same_source(tmp_path):
    folder = write_folder(tmp_path)
    listing = list_folder(str(folder))
    lines = "".join(f"{record.path},{record.label}\n" for record in listing.records)
    (folder / "list.csv").write_text("path,label\n" + lines)
    assert take(list_file(str(folder / "list.csv"))).fingerprint == take(listing).fingerprint


@pytest.mark.parametrize("task", ["image", "text"])
def test_what_git_lfs_left_in_the_place_of_a_file_is_no_example(tmp_path, task):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\n"
        (tmp_path / name / "1").write_text(text)
    found = take_inventory(
        list_folder(str(tmp_path), task=task),
        task=task,
        max_file_bytes=1 << 20,
        report=lambda done, total: None,
    )
    assert len(found.rejects) == 2 and "git lfs pull fetches it" in found.rejects[0].detail


def test_the_first_path_of_a_content_is_kept(tmp_path):
    write_folder(tmp_path, per_class=2)
    shutil.copy(tmp_path / "bar" / "001.png", tmp_path / "bar" / "002.png")
    inventory = take(list_folder(str(tmp_path)))
    assert inventory.rejects == (Reject("bar/002.png", "duplicate", "same content as bar/001.png"),)
    assert "bar/001.png" in [example.path for example in inventory.examples]


def test_a_content_with_two_labels_is_kept_under_neither(tmp_path):
    write_folder(tmp_path, per_class=2)
    shutil.copy(tmp_path / "bar" / "001.png", tmp_path / "disc" / "002.png")
    inventory = take(list_folder(str(tmp_path)))
    detail = "the same content is labelled bar and disc"
    assert inventory.rejects == (
        Reject("bar/001.png", "conflicting_label", detail),
        Reject("disc/002.png", "conflicting_label", detail),
    )


def test_of_a_content_with_a_hundred_labels_a_few_are_named(tmp_path):
    """`Photo unavailable` may stand in each of a thousand classes: named for each, a million."""
    for name in range(100):
        (tmp_path / f"{name:02}").mkdir()
        (tmp_path / f"{name:02}" / "1.png").write_bytes(shape_png(0, 0))
    inventory = take(list_folder(str(tmp_path)))
    details = {reject.detail for reject in inventory.rejects}
    assert details == {"the same content is labelled 00, 01, 02, 03, 04 and 95 more"}


def take_list(folder, *rows) -> Inventory:
    (folder / "list.csv").write_text("\n".join(["path,label,split,group", *rows]))
    return take(list_file(str(folder / "list.csv")))


def test_what_a_copy_states_holds_for_the_one_that_is_kept(tmp_path):
    write_folder(tmp_path, per_class=3)
    for index in range(3):
        shutil.copy(tmp_path / "bar" / f"{index:03d}.png", tmp_path / "bar" / f"{index}copy.png")
    inventory = take_list(
        tmp_path,
        "bar/000.png,bar,train,",
        "bar/0copy.png,bar,test,",
        "bar/001.png,bar,,",
        "bar/1copy.png,bar,validation,g",
        "bar/002.png,bar,train,h",
        "bar/2copy.png,bar,,",
        "disc/000.png,disc,,",
    )
    assert [(found.path, found.split, found.group) for found in inventory.examples] == [
        ("bar/000.png", "test", ""),
        ("bar/001.png", "validation", "g"),
        ("bar/002.png", "train", "h"),
        ("disc/000.png", None, ""),
    ]


def test_groups_that_share_a_picture_are_one(tmp_path):
    write_folder(tmp_path, per_class=3)
    for index in range(2):
        shutil.copy(tmp_path / "bar" / f"{index:03d}.png", tmp_path / "bar" / f"{index}copy.png")
    inventory = take_list(
        tmp_path,
        "bar/000.png,bar,,g2",
        "bar/0copy.png,bar,,g3",
        "bar/001.png,bar,,g3",
        "bar/1copy.png,bar,,g1",
        "bar/002.png,bar,,g4",
        "disc/000.png,disc,,g1",
        "disc/001.png,disc,,",
    )
    assert [found.group for found in inventory.examples] == ["g1", "g1", "g4", "g1", ""]


def test_progress_ends_with_all_files(tmp_path):
    seen = []
    listing = list_folder(str(write_folder(tmp_path, per_class=30)))
    take_inventory(
        listing, max_file_bytes=1 << 20, report=lambda done, total: seen.append((done, total))
    )
    assert seen == [(64, 90), (90, 90)]


def take_some(folder, most: int, count: int = 200) -> Inventory:
    """Takes some of several texts, which stand in pairs of a group; the last 20 in none."""
    rows = [
        f"text {i},{'ab'[i % 2]},{f'g{i // 2}' if i < count - 20 else ''}" for i in range(count)
    ]
    (folder / "list.csv").write_text("\n".join(["text,label,group", *rows]))
    listing = list_file(str(folder / "list.csv"), task="text")
    return take_inventory(
        listing, task="text", max_file_bytes=99, max_examples=most, report=lambda done, total: None
    )


def test_some_examples_are_taken_with_the_rest_of_their_groups(tmp_path):
    whole = take_some(tmp_path, 1000)
    some = take_some(tmp_path, 60)
    assert len(whole.examples) == 200 and len(some.examples) in (60, 61)
    groups = [example.group for example in some.examples if example.group]
    assert groups and all(groups.count(group) == 2 for group in groups)
    assert some.fingerprint == whole.fingerprint and not some.rejects
    assert {example.label for example in some.examples} == {0, 1}


def test_which_are_taken_changes_little_where_more_are_there(tmp_path):
    before = {example.text for example in take_some(tmp_path, 60).examples}
    after = {example.text for example in take_some(tmp_path, 60, count=210).examples}
    assert len(before & after) > 50
