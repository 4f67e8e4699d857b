"""WebDataset's tar shards."""

import io
import json
import tarfile

import pytest

from components.common.documents.dataset import DatasetManifest
from components.common.errors import UserError
from components.preprocess.kinds import WebDatasetSource
from components.preprocess.layouts import list_folder_as_told, list_source
from tests.components.preprocess.folders import CLASSES, preprocess
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain


def tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def fields(example, label):
    base = f"./{example.split}/{example.name.removesuffix('.png')}"
    if label == "cls":
        return [(f"{base}.cls", example.label.encode()), (f"{base}.png", example.data)]
    number = CLASSES.index(example.label)
    text = json.dumps({"class": number, "label": "no"}).encode()
    return [(f"{base}.png", example.data), (f"{base}.json", text), (f"{base}.mask.npy", b"m")]


def write_shards(folder, *, label="cls"):
    shards = {}
    for split in ("train", "validation", "test"):
        own = [e for e in examples() if e.split == split]
        for number in range(2):
            files = [file for e in own[number::2] for file in fields(e, label)]
            shards[f"shapes-{split}-{number:06d}.tar"] = tar(files)
    return write(folder, shards)


def test_shards_give_the_very_data_set_of_the_folder(tmp_path):
    plain = preprocess(tmp_path / "a", folder=write_plain(tmp_path / "plain"))
    source = write_shards(tmp_path / "shards")
    packed = preprocess(tmp_path / "b", folder=source)
    assert isinstance(packed, DatasetManifest)
    assert (packed.splits, packed.class_names) == (plain.splits, plain.class_names)
    assert (packed.statistics, packed.records, packed.rejects) == (plain.statistics, 24, {})


def test_labels_in_json_are_numbers_of_named_classes(tmp_path):
    plain = seen(list_folder_as_told(write_plain(tmp_path / "plain")))
    path = write_shards(tmp_path / "shards", label="json")
    source = WebDatasetSource(kind="webdataset", path=path, label="json.class", class_names=CLASSES)
    assert seen(list_source(source)) == plain


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a.png", b"1"), ("a.PNG", b"2")], "the example has the field png twice"),
        ([("a.png", b"1"), ("b.png", b"2"), ("a.cls", b"x")], "do not stand beside one another"),
        (
            [("a.png", b"1"), ("a.cls", b"x"), ("a.json", b'{"label": "y"}')],
            "'cls' or 'json.label' may hold the label, and they differ",
        ),
        (
            [("a.png", b"1"), ("a.seg.png", b"2"), ("a.cls", b"x")],
            "'png' or 'seg.png' may hold the example",
        ),
        ([("a.png", b"1"), ("a.json", b"{")], "not valid JSON"),
        (
            [("a.png", b"1"), ("b.png", b"2")],
            "no example has a label; its files end in .png: say which",
        ),
    ],
)
def test_what_may_mean_two_things_is_refused(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        list_folder_as_told(write(tmp_path, {"x.tar": tar(files)}))


def test_a_tar_that_is_damaged_or_cut_is_refused(tmp_path):
    whole = tar([(f"{i}.{k}", b"x" * 600) for i in range(4) for k in ("cls", "png")])
    for data in (whole[:3000], whole[:3072] + b"y" * 512 + whole[3584:], b"no tar" * 200):
        with pytest.raises(UserError, match=r"x\.tar: is no whole tar file"):
            list_folder_as_told(write(tmp_path, {"x.tar": data}))


def test_a_tar_that_ends_within_a_label_is_refused(tmp_path):
    whole = tar([("1.png", b"x"), ("1.cls", b"x" * 600)])
    with pytest.raises(UserError, match=r"x\.tar, 1\.cls: the tar ends within it"):
        list_folder_as_told(write(tmp_path, {"x.tar": whole[:1800]}))


def test_several_tars_in_one_file_are_refused(tmp_path):
    """Only the first would be read."""
    data = tar([(f"{i}.{k}", b"x" * 600) for i in range(4) for k in ("cls", "png")])
    with pytest.raises(UserError, match="no whole tar file: goes on after its end at byte 12288"):
        list_folder_as_told(write(tmp_path, {"x.tar": data + data}))


def test_links_are_counted(tmp_path):
    """What GNU tar finds a second time in a folder it packs as a link."""
    buffer = io.BytesIO(tar([("a.png", b"1"), ("a.cls", b"x"), ("b.png", b"2"), ("b.cls", b"y")]))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        for number, kind in enumerate((tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(f"{number}.png")
            member.type, member.linkname = kind, "a.png"
            archive.addfile(member)
    listing = list_folder_as_told(write(tmp_path, {"x.tar": buffer.getvalue()}))
    assert listing.passed_over == {"link in a tar": 2, "no file in a tar": 1}
    assert len(listing.records) == 2


def test_where_no_label_is_found_its_files_are_named(tmp_path):
    files = [(name, b"1") for name in ("1.v2.png", "1.v2.cls", "2.txt", "2.png")]
    message = r"end in \.png, \.txt, \.v2\.cls and \.v2\.png: say which holds it, by data\.source"
    with pytest.raises(UserError, match=message):
        list_folder_as_told(write(tmp_path, {"x.tar": tar(files)}))


def test_what_has_no_label_or_no_picture_is_rejected(tmp_path):
    files = [("a.png", examples()[0].data), ("b.cls", b"cat"), ("c.cls", b"dog")]
    found = seen(list_folder_as_told(write(tmp_path, {"x.tar": tar(files)})))
    assert (found.class_names, len(found.examples), found.rejects) == (("cat", "dog"), 0, 3)
