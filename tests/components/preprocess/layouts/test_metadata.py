"""Hugging Face's ImageFolder: metadata says what the pictures are."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from components.common.errors import UserError
from components.preprocess.kinds import Columns, MetadataSource
from components.preprocess.layouts import list_folder_as_told, list_source
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain


def write_metadata(folder, *, kind, rows):
    path = folder / f"metadata.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines))


@pytest.fixture
def plain(tmp_path):
    return seen(list_folder_as_told(write_plain(tmp_path / "plain")))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_in_each_split_s_folder(tmp_path, plain, kind):
    folder = tmp_path / "hub"
    # The folders that pictures lie in are no labels here.
    write(folder, {f"{e.split}/some/{e.name}": e.data for e in examples()})
    for split in ("train", "validation", "test"):
        own = [e for e in examples() if e.split == split]
        rows = [{"file_name": f"some/{e.name}", "label": e.label} for e in own]
        write_metadata(folder / split, kind=kind, rows=rows)
    listing = list_folder_as_told(str(folder))
    assert seen(listing) == plain
    assert "ImageFolder, for there is test/metadata" in listing.remarks[0]


def test_columns_by_other_names_and_a_split_in_a_row(tmp_path, plain):
    write(tmp_path / "hub", {f"all/{e.name}": e.data for e in examples()})
    rows = [
        {"file_name": f"all/{e.name}", "class": e.label, "fold": e.split, "label": "x"}
        for e in examples()
    ]
    write_metadata(tmp_path / "hub", kind="csv", rows=rows)
    columns = Columns(label="class", split="fold")
    source = MetadataSource(kind="metadata", path=str(tmp_path / "hub"), columns=columns)
    assert seen(list_source(source)) == plain


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_of_splits_that_is_called_otherwise_is_refused(tmp_path, kind):
    rows = [{"file_name": e.name, "label": e.label, "fold": e.split} for e in examples()]
    write_metadata(tmp_path, kind=kind, rows=rows)
    with pytest.raises(UserError, match="of 'fold' are names of splits, .*, columns: {split: fold"):
        list_folder_as_told(str(tmp_path))


def test_metadata_without_labels_beside_class_folders_may_mean_two_things(tmp_path):
    write(tmp_path, {"cat/1.png": b"1", "dog/1.png": b"2"})
    write_metadata(tmp_path, kind="csv", rows=[{"file_name": "cat/1.png", "caption": "sits"}])
    with pytest.raises(UserError, match=r"ImageFolder \(there is metadata.csv: kind metadata\) or"):
        list_folder_as_told(str(tmp_path))


def test_a_table_that_names_no_files_is_somebody_s_notes(tmp_path):
    write(tmp_path, {"cat/1.png": b"1", "dog/1.png": b"2"})
    write_metadata(tmp_path, kind="csv", rows=[{"camera": "one"}])
    write(tmp_path, {"metadata.jsonl": b'["one"]'})
    assert len(list_folder_as_told(str(tmp_path)).records) == 2


def test_a_row_that_contradicts_its_folder_is_refused(tmp_path):
    write(tmp_path, {"train/1.png": b"1"})
    rows = [{"file_name": "1.png", "label": "cat", "split": "test"}]
    write_metadata(tmp_path / "train", kind="csv", rows=rows)
    with pytest.raises(UserError, match=r"line 2: states the split test, in the folder for train"):
        list_folder_as_told(str(tmp_path))
