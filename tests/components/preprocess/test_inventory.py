"""Contents, duplicates and the fingerprint of a source."""

import shutil

from components.preprocess.inventory import Inventory, Reject, take_inventory
from components.preprocess.sources import list_file, list_folder
from tests.components.preprocess.folders import shape_png, write_folder


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


def test_a_list_and_a_folder_of_the_same_records_are_the_same_source(tmp_path):
    folder = write_folder(tmp_path)
    listing = list_folder(str(folder))
    lines = "".join(f"{record.path},{record.label}\n" for record in listing.records)
    (folder / "list.csv").write_text("path,label\n" + lines)
    assert take(list_file(str(folder / "list.csv"))).fingerprint == take(listing).fingerprint


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


def test_progress_ends_with_all_files(tmp_path):
    seen = []
    listing = list_folder(str(write_folder(tmp_path, per_class=30)))
    take_inventory(
        listing, max_file_bytes=1 << 20, report=lambda done, total: seen.append((done, total))
    )
    assert seen == [(64, 90), (90, 90)]
