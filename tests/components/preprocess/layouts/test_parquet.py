"""Parquet files as Hugging Face's hub has them."""

import hashlib
import io
import json
import os

import pyarrow
import pyarrow.parquet
import pytest

from components.common.errors import UserError
from components.common.storage import LocalStorage
from components.common.tasks.image.preparation.spec import PictureSpec
from components.preprocess import containers
from components.preprocess.containers import Containers
from components.preprocess.inventory import take_inventory
from components.preprocess.kinds import ParquetSource, StoredColumns
from components.preprocess.layouts import list_folder_as_told, list_source
from components.preprocess.layouts.layout import split_of_file
from components.preprocess.ledger import find_whole_shards
from components.preprocess.lists import list_file
from components.preprocess.members import Member
from components.preprocess.orders import placed_orders
from components.preprocess.places import Cell
from components.preprocess.tasks import ShardTask
from components.preprocess.writer import ShardWriter
from tests.components.preprocess.folders import CLASSES, preprocess, shape_png
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain

FEATURES = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def write_hub(folder, *, features=FEATURES, inline=True):
    (folder / "data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        own = [e for e in examples() if e.split == split]
        images = [{"bytes": e.data if inline else None, "path": f"all/{e.name}"} for e in own]
        labels = [CLASSES.index(e.label) for e in own]
        table = pyarrow.table({"image": pyarrow.array(images, IMAGE), "label": labels})
        if features:
            text = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": text})
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=4)
    return str(folder)


def test_the_hub_s_files_give_the_very_data_set_of_the_folder(tmp_path):
    plain = preprocess(tmp_path / "a", folder=write_plain(tmp_path / "plain"))
    packed = preprocess(tmp_path / "b", folder=write_hub(tmp_path / "hub"))
    assert (packed.splits, packed.class_names) == (plain.splits, plain.class_names)
    assert (packed.statistics, packed.records, packed.rejects) == (plain.statistics, 24, {})


def test_a_shard_s_pictures_are_read_in_the_order_in_which_they_lie(tmp_path, monkeypatch):
    """Asked for in the order of their digests, each would cost reading its group."""
    groups = []
    read_rows = containers._read_rows
    monkeypatch.setattr(
        containers, "_read_rows", lambda root, c: groups.append(c.group) or read_rows(root, c)
    )
    monkeypatch.setattr(containers, "_KEPT_BYTES", 0)
    monkeypatch.setattr(containers, "_ROWS", 3)
    data = [shape_png(0, seed) for seed in range(40)]
    table = pyarrow.table({"image": data})
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet", row_group_size=8)
    members = sorted(
        Member(
            hashlib.sha256(each).hexdigest(),
            f"{n}",
            0,
            "",
            place=Cell("train.parquet", "image", *at),
        )
        for n, each in enumerate(data)
        for at in [divmod(n, 8)]
    )
    task = ShardTask("shards/a", "train", tuple(members), 1)
    storage = LocalStorage(str(tmp_path / "data"))
    plan = PictureSpec(8, 1, "crop", "#ffffff", "png", 95, 10_000)
    writer = ShardWriter(str(tmp_path), 1 << 20, str(tmp_path / "data"), 1, plan, "none")
    with placed_orders(storage, "orders", [task]) as (order,):
        writer.write(order)
    assert groups == [0, 1, 2, 3, 4]
    content = find_whole_shards(storage, [task.path])[task.path].content
    assert (content.examples_per_class, content.rejects) == ((40,), ())


@pytest.mark.parametrize("kept_bytes", [0, 100, 1 << 20])
def test_cells_are_found_in_any_order(tmp_path, monkeypatch, kept_bytes):
    monkeypatch.setattr(containers, "_KEPT_BYTES", kept_bytes)
    monkeypatch.setattr(containers, "_ROWS", 2)
    data = [b"%d" % number * 20 for number in range(30)]
    table = pyarrow.table({"image": [{"bytes": each, "path": "x"} for each in data]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=10)
    read = Containers(str(tmp_path), at_most=1 << 20).read
    asked = [0, 9, 5, 4, 8, 25, 11, 3, 29, 0, 20, 19, 1]
    cells = [Cell("x.parquet", "image.bytes", *divmod(number, 10)) for number in asked]
    assert [read(cell) for cell in cells] == [data[number] for number in asked]


def test_a_group_is_read_no_farther_than_is_asked_for(tmp_path, monkeypatch):
    table = pyarrow.table({"image": [os.urandom(1000) for _ in range(4000)]})
    pyarrow.parquet.write_table(
        table, tmp_path / "x.parquet", data_page_size=1 << 14, write_batch_size=8
    )
    asked = []

    class Counted(io.BufferedReader):
        def read(self, size=-1, /):
            asked.append(size)
            return super().read(size)

    def opened(root, path):
        return Counted(io.FileIO(f"{root}/{path}"))

    monkeypatch.setattr(containers, "open_container", opened)
    monkeypatch.setattr(containers, "_COLUMN_BYTES", 1 << 17)
    Containers(str(tmp_path), at_most=1 << 20).read(Cell("x.parquet", "image", 0, 1000))
    assert 1 << 20 < sum(asked) < 2 << 20  # Of 4 MB.


def test_a_damaged_group_is_read_up_to_the_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "_ROWS", 2)
    path, data = tmp_path / "x.parquet", [bytes([number]) * 1000 for number in range(8)]
    pyarrow.parquet.write_table(
        pyarrow.table({"image": data}),
        path,
        use_dictionary=False,
        compression="none",
        data_page_size=1000,
        write_batch_size=1,
    )
    damaged = bytearray(path.read_bytes())
    start = damaged.index(data[5]) - 20  # Where its page begins.
    damaged[start : start + 10] = bytes(10)
    path.write_bytes(damaged)
    read = Containers(str(tmp_path), at_most=1 << 20).read
    found = []
    for row in (0, 3, 6, 7):
        try:
            found.append(read(Cell("x.parquet", "image", 0, row)) == data[row])
        except OSError as error:
            assert "x.parquet: row group 0: " in str(error)
            found.append(None)
    assert found == [True, True, None, None]


@pytest.mark.parametrize("inline", [True, False])
def test_types_tell_where_no_features_are_written(tmp_path, inline):
    plain = seen(list_folder_as_told(write_plain(tmp_path / "plain")))
    path = write_hub(tmp_path / "hub", features=None, inline=inline)
    if not inline:
        write(tmp_path / "hub", {f"all/{e.name}": e.data for e in examples()})
    source = ParquetSource(kind="parquet", path=path, class_names=CLASSES)
    assert seen(list_source(source)) == plain


def test_texts_and_their_labels(tmp_path):
    table = pyarrow.table({"text": ["good", "bad"], "label": ["yes", "no"]})
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    listing = list_folder_as_told(str(tmp_path), task="text")
    assert [(r.text, r.label, r.split) for r in listing.records] == [
        ("good", "yes", "train"),
        ("bad", "no", "train"),
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": b"1", "b": b"2", "label": "x"}, "'a' or 'b' may hold the pictures; say which"),
        ({"a": b"1", "kind": "x"}, "nothing in it seems to hold the labels; say what does"),
        ({"a": 1, "label": "x"}, "nothing in it seems to hold pictures"),
        ({"text": "a", "label": "x"}, r"x\.parquet: holds texts; .*: text, .* takes --text"),
        ({"a": b"1", "label": "x", "LABEL": "y"}, "the column 'label' stands twice"),
    ],
)
def test_what_the_columns_leave_open_is_asked_for(tmp_path, columns, message):
    names = ["label" if name == "LABEL" else name for name in columns]
    table = pyarrow.table([[value] for value in columns.values()], names)
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(UserError, match=message):
        list_folder_as_told(str(tmp_path))


def test_labels_that_are_damaged_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"label": ["a", "b"] * 8, "image": [b"1"] * 16}), path
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + b"\xff" * 8 + whole[16:])
    with pytest.raises(UserError, match="x.parquet: its row group 0 is damaged: "):
        list_folder_as_told(str(tmp_path))
    table = pyarrow.table({"text": not_utf_8(), "label": ["a", "b"]})
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(UserError, match="x.parquet: its row group 0 is damaged: .utf-8. codec"):
        list_folder_as_told(str(tmp_path), task="text")
    with pytest.raises(UserError, match="x.parquet: is no Parquet file that can be read: .utf-8."):
        list_file(str(path), task="text")


def not_utf_8():
    """Returns two strings as other programs may write them."""
    return pyarrow.array([b"\xff", b"a"]).view(pyarrow.string())


def test_labels_hold_no_texts(tmp_path):
    table = pyarrow.table({"content": ["one", "two"], "label": ["a", "b"], "split": ["train"] * 2})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    listing = list_folder_as_told(str(tmp_path), task="text")
    assert [(r.text, r.label, r.split) for r in listing.records] == [
        ("one", "a", "train"),
        ("two", "b", "train"),
    ]


def test_pictures_that_are_damaged_are_rejected_with_the_reason(tmp_path):
    table = pyarrow.table({"label": ["a", "b"] * 8, "image": [b"12345678"] * 16})
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(table, path, compression="none", use_dictionary=False)
    start = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + b"\xff" * 8 + whole[start + 8 :])
    listing = list_folder_as_told(str(tmp_path))
    found = take_inventory(listing, max_file_bytes=1 << 20, report=lambda done, total: None)
    assert len(found.rejects) == 16
    assert "it can't be read: x.parquet: row group 0: " in found.rejects[0].detail


@pytest.mark.parametrize("names", [3, "ab", {"0": "a"}])
def test_class_names_that_are_no_list_are_refused(tmp_path, names):
    features = {**FEATURES, "label": {"names": names, "_type": "ClassLabel"}}
    with pytest.raises(UserError, match="names no classes of 'label', but .*; write the"):
        list_folder_as_told(write_hub(tmp_path, features=features))


def test_named_columns_answer_it(tmp_path):
    png = [e.data for e in examples()[:16]]
    labels = [e.label for e in examples()[:16]]
    table = pyarrow.table({"a": png, "b": png[::-1], "kind": labels})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    columns = StoredColumns(image="a", label="kind")
    source = ParquetSource(kind="parquet", path=str(tmp_path), columns=columns)
    assert list_source(source).remarks == (f"{tmp_path}: nothing is made of 'b'",)
    assert {label for _, label, _ in seen(list_source(source)).examples} == {"bar", "cross"}
    with pytest.raises(UserError, match="has no column 'c', only a, b, kind"):
        list_source(source.model_copy(update={"columns": StoredColumns(image="c", label="kind")}))


def test_a_column_of_splits_that_is_called_otherwise_is_refused(tmp_path):
    frame = {"text": ["a", "b"], "label": ["x", "y"], "fold": ["train", "test"]}
    pyarrow.parquet.write_table(pyarrow.table(frame), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="of 'fold' are names of splits, .*, columns: {split: fold"):
        list_folder_as_told(str(tmp_path), task="text")
    (tmp_path / "a.parquet").rename(tmp_path / "train.parquet")
    assert len(list_folder_as_told(str(tmp_path), task="text").records) == 2


def test_a_repository_of_several_data_sets_is_refused(tmp_path):
    write_hub(tmp_path / "one")
    write_hub(tmp_path / "two")
    source = ParquetSource(kind="parquet", path=str(tmp_path))
    with pytest.raises(UserError, match=r"'one/data' and 'two/data' hold Parquet files, which may"):
        list_source(source)
    assert len(list_source(source, exclude=["two"]).records) == 24
    with pytest.raises(UserError, match=f"; give one of {tmp_path}/one/data and {tmp_path}/two/d"):
        list_folder_as_told(str(tmp_path))


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("default/validation/0000.parquet", "validation"),
        ("dev-kit/imagenet-Test-000001.tar", "test"),
        ("shards/000001.tar", None),
    ],
)
def test_a_container_s_name_states_its_split(path, split):
    assert split_of_file(path) == split
    with pytest.raises(UserError, match="may be of the test or train split by its name"):
        split_of_file("data/train-test-0.tar")


def test_a_label_of_no_class_is_refused(tmp_path):
    write(tmp_path, {})
    table = pyarrow.table({"image": [b"1"], "label": [7]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    source = ParquetSource(kind="parquet", path=str(tmp_path), class_names=CLASSES)
    with pytest.raises(UserError, match=r"row 0: the label '7' is of none of the 3 classes"):
        list_source(source)
