"""List files become listings, or errors that say what to do."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from components.common.errors import UserError
from components.preprocess.lists import list_file
from components.preprocess.sources import SourceRecord


def write_list(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def labels(listing):
    return [record.label for record in listing.records]


def test_csv_and_jsonl_say_the_same(tmp_path):
    rows = [
        {"path": "p/1.png", "label": "a", "split": "test", "group": "", "slice": "dark"},
        {"path": "p/2.png", "label": "b", "split": "", "group": "7", "slice": ""},
    ]
    text = "path,label,split,group,slice\np/1.png,a,test,,dark\np/2.png,b,,7,\n"
    from_csv = list_file(write_list(tmp_path, "l.csv", text))
    jsonl = "".join(json.dumps(row) + "\n\n" for row in rows)
    from_jsonl = list_file(write_list(tmp_path, "l.jsonl", jsonl))
    assert from_csv == from_jsonl
    assert from_csv.records == (
        SourceRecord("p/1.png", "a", "test", "", "dark"),
        SourceRecord("p/2.png", "b", None, "7", ""),
    )


def test_columns_go_by_the_names_that_are_said(tmp_path):
    path = write_list(tmp_path, "l.csv", "Image;label;class;path\n1.png;x;a;\n2.png;y;b;\n")
    listing = list_file(path, columns={"path": "image", "label": "class"})
    assert [(r.path, r.label) for r in listing.records] == [("1.png", "a"), ("2.png", "b")]
    assert listing.remarks == (f"{path}: nothing is made of 'label' and 'path'",)
    with pytest.raises(UserError, match=r"line 1: there is no 'fold', only"):
        list_file(path, columns={"path": "image", "label": "class", "split": "fold"})


def test_paths_are_relative_to_the_list_wherever_it_lies(tmp_path):
    text = f"\ufeffpath,label\n{tmp_path}/p/1.png,a\n../q/./2.png,b\n"
    listing = list_file(write_list(tmp_path, "l.csv", text))
    assert [record.path for record in listing.records] == ["../q/2.png", "p/1.png"]


def test_paths_as_other_systems_write_them_name_the_same_files(tmp_path):
    composed, decomposed = "caf\u00e9.png", "cafe\u0301.png"
    (tmp_path / "p").mkdir()
    for name in ("1.png", "a\\2.png", decomposed):
        (tmp_path / "p" / name).touch()
    text = f"path,label\n.\\p\\1.png,a\np/a\\2.png,b\np\\{composed},c\np\\gone.png,d\n"
    listing = list_file(write_list(tmp_path, "l.csv", text))
    assert {record.label: record.path for record in listing.records} == {
        "a": "p/1.png",
        "b": "p/a\\2.png",
        "c": f"p/{decomposed}",
        "d": "p\\gone.png",
    }


@pytest.mark.parametrize("there", ["train/1.png", "a/b/1.png", "a/1", "1.png", "a/b/1.x.png"])
def test_what_paths_lack_is_told_where_none_of_them_is_right(tmp_path, there):
    """As of Kaggle: a column `image_id`, and the pictures in a folder."""
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).touch()
    path = write_list(tmp_path, "l.csv", "path,label\nC:\\mine\\1,a\n2,b\n")
    with pytest.raises(
        UserError, match=f"l.csv: there is no C:.*1, but {there}; expected paths rel"
    ):
        list_file(path)
    (tmp_path / "2").touch()
    assert len(list_file(path).records) == 2


def test_numbers_are_labels(tmp_path):
    text = '{"path": "1.png", "label": 3}\n{"path": "2.png", "label": 4}\n'
    assert list_file(write_list(tmp_path, "l.jsonl", text)).class_names == ("3", "4")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "file,label\n", r"l\.csv, line 1: there is no 'path'"),
        ("l.csv", "", r"l\.csv, line 1: there is no 'path'"),
        ("l.csv", "file,label\n", r"there is no 'path', .*, say data\.columns: \{path: NAME\}"),
        ("l.tsv", "pos\tone, two\n", r"there is no 'path', only 'pos' and 'one, two'; expected"),
        ("l.csv", "id,Text,Label\n1,a,b\n", r"line 1: holds texts; .*: text, .* takes --text"),
        ("l.jsonl", '{"Sentence": "a"}', r"line 1: holds texts; .*: text, .* takes --text"),
        ("l.csv", "path,label\ngs://b/1.png,a\n", r"line 2: gs://b/1\.png is an address, where"),
        (
            "l.tsv",
            'path\tlabel\n"1.png\ta\n2.png"\tb\n',
            r"line 3: a quote that begins a value reaches over several lines here",
        ),
        ("l.csv", "file,name\n", r"line 1: there is no 'path', only 'file' and 'name'; expected"),
        ("l.csv", "path,lable\n", r"line 1: 'lable' looks like a misspelt 'label'; rename it"),
        ("l.csv", "path,label,Spilt\n", r"'Spilt' looks like a misspelt 'split'; rename it"),
        ("l.csv", "path,label,group_id\n", r"'group_id' looks like a misspelt 'group'"),
        ("l.csv", "path,label, Label\n", r"line 1: 'label' stands twice"),
        ("l.csv", "sep=;\npath;label\n1.png;\n", r"line 3: the label is empty"),
        ("l.csv", "path,label\n1.png,a\n2.png\n", r"line 3: expected 2 values"),
        ("l.csv", "path,label\n1.png,a,b\n", r"line 2: expected 2 values"),
        ("l.csv", "path,label\n1.png,\n", r"line 2: the label is empty"),
        ("l.csv", 'path,label\n"1.png,a\n', r"not valid CSV"),
        ("l.csv", "path,label,split\n1.png,a,hold\n", r"unknown split 'hold'; allowed are train"),
        ("l.csv", "path,label\n", r"l\.csv: holds no pictures"),
        ("l.csv", "path,label\n1.png,a\n", r"l\.csv: has a single class"),
        ("l.jsonl", '{"path": "1.png", "label": "a"}\n{nope\n', r"line 2: not valid JSON"),
        ("l.jsonl", '["1.png"]\n', r"line 1: expected an object"),
        ("l.jsonl", '{"path": "1.png"}\n', r"line 1: there is no 'label'"),
        ("l.jsonl", '{"path": "1.png", "label": "a", "label": "b"}\n', r"'label' stands twice"),
        (
            "l.jsonl",
            '{"path": "1.png", "label": {"a": 1}}\n',
            r"must be text or a whole number, not an object",
        ),
        (
            "l.jsonl",
            '{"path": "p\\u0000.png", "label": "a"}\n',
            r"the path 'p\\x00\.png' holds U\+0000",
        ),
        (
            "l.jsonl",
            '{"path": "\\ud800.png", "label": "a"}\n',
            r"path '\\ud800\.png' holds U\+D800",
        ),
        ("l.jsonl", '{"path": "1.png", "label": "\\ud800"}\n', r"label '\\ud800' holds U\+D800"),
        (
            "l.jsonl",
            '{"path": "1.png", "label": "a\\nb"}\n',
            r"line 1: the label 'a\\nb' holds U\+000A",
        ),
        ("l.jsonl", '{"path": "1.png", "label": "a\\tb"}\n', r"holds U\+0009"),
        ("l.csv", 'path,label\n1.png,"a\nb"\n', r"line 3: the label 'a\\nb' holds U\+000A"),
        ("l.csv", "path,label\n1.png,a\u2029b\n", r"line 2: the label .* holds U\+2029"),
        ("l.csv", "path,label\n1.png,a\x0bb\n", r"holds U\+000B"),
        ("l.csv", "path,label\n1.png,a\u200db\n", r"holds U\+200D"),
        ("l.csv", "path,label,slice\n1.png,a,\u2066b\n", r"the slice '\\u2066b' holds U\+2066"),
        (
            "l.jsonl",
            '{"path": "1.png", "label": true}\n',
            r"label must be text or a whole number, not True",
        ),
        ("l.txt", "", r"must be a \.csv, \.tsv, \.jsonl or \.parquet file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message):
        list_file(write_list(tmp_path, name, text))


def test_whole_numbers_as_pandas_writes_a_column_with_gaps_are_whole_numbers(tmp_path):
    frame = {"path": ["1.png", "2.png"], "label": [1.0, 0.0], "group": [7.0, None]}
    pyarrow.parquet.write_table(pyarrow.table(frame), tmp_path / "l.parquet")
    from_parquet = list_file(str(tmp_path / "l.parquet"))
    path = write_list(tmp_path, "l.csv", "path,label,group\n1.png,1.0,7\n2.png,0.0,\n")
    from_csv = list_file(path)
    assert (
        from_parquet.records
        == from_csv.records
        == (
            SourceRecord("1.png", "1", group="7"),
            SourceRecord("2.png", "0"),
        )
    )
    assert from_csv.remarks == (f"{path}: labels are whole numbers: '0.0' is '0'",)
    hundred = "".join(f"{n}.png,{n}.0\n" for n in range(100))
    assert (
        len(list_file(write_list(tmp_path, "l.csv", f"path,label\n{hundred}")).class_names) == 100
    )


@pytest.mark.parametrize("labels", [("1.0", "1.5"), ("1.0", "two"), ("1", "2")])
def test_other_labels_stay_as_they_are_written(tmp_path, labels):
    text = "path,label\n1.png,{}\n2.png,{}\n".format(*labels)
    assert list_file(write_list(tmp_path, "l.csv", text)).class_names == tuple(sorted(labels))


def test_a_label_that_is_missing_among_numbers_is_named(tmp_path):
    pyarrow.parquet.write_table(
        pyarrow.table({"path": ["1.png", "2.png"], "label": [1.0, float("nan")]}),
        tmp_path / "l.parquet",
    )
    with pytest.raises(UserError, match="line 2: the label is empty"):
        list_file(str(tmp_path / "l.parquet"))


def test_a_parquet_file_that_is_no_list_is_told_how_to_be_read(tmp_path):
    pyarrow.parquet.write_table(
        pyarrow.table({"image": [b"1"], "label": [0]}), tmp_path / "x.parquet"
    )
    message = r"there is no 'path', only 'image'; .*by data.source: \{kind: parquet, path: FOLDER\}"
    with pytest.raises(UserError, match=message):
        list_file(str(tmp_path / "x.parquet"))


def test_classes_are_called_as_hugging_face_s_library_names_them(tmp_path):
    features = {"label": {"names": ["1", "cat"], "_type": "ClassLabel"}}
    table = pyarrow.table({"text": ["a", "b"], "label": [1, 0]})
    table = table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    listing = list_file(str(tmp_path / "x.parquet"), task="text")
    assert [(r.text, r.label) for r in listing.records] == [("a", "cat"), ("b", "1")]
    pyarrow.parquet.write_table(table.set_column(1, "label", [[1.0, 0.0]]), tmp_path / "x.parquet")
    assert list_file(str(tmp_path / "x.parquet"), task="text") == listing
    pyarrow.parquet.write_table(table.set_column(1, "label", [[1, 2]]), tmp_path / "x.parquet")
    with pytest.raises(UserError, match="line 2: 2 is of none of the 2 classes"):
        list_file(str(tmp_path / "x.parquet"), task="text")


def test_a_missing_or_undecodable_list_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        list_file(str(tmp_path / "gone.csv"))
    (tmp_path / "latin.csv").write_bytes("path,label\nä.png,a\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        list_file(str(tmp_path / "latin.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "PATH, Label ,SPLIT\n1.png, a, Train\n2.png,b,val\n",
        "path;label;split\n1.png;a;training\n2.png;b;VALID\n",
        "path\tlabel\tsplit\n1.png\ta\ttrain\n2.png\tb\tdev\n",
        "\ufeffsep=;\r\npath;label;split\r\n1.png;a;train\r\n2.png;b;validation\r\n",
        '"path", "label", "split"\n"1.png", "a", "train"\n"2.png", "b", "val"\n',
        "width,path,label,split,width,\n10,1.png,a,train,20,\n,2.png,b,val,,,,\n,,,,,\n\n",
        "split,label,path\ntrain,a,1.png\nval,b,2.png\n",
        "path|label|split\n1.png|a|train\n2.png|b|val\n",
        "path,label,split\n1.png,a,train\npath,label,split\n2.png,b,val\n",
    ],
)
def test_what_is_meant_without_a_doubt_is_accepted(tmp_path, text):
    name = "l.tsv" if "\t" in text else "l.csv"
    assert list_file(write_list(tmp_path, name, text)).records == (
        SourceRecord("1.png", "a", "train"),
        SourceRecord("2.png", "b", "validation"),
    )


def test_a_column_of_splits_that_is_called_otherwise_is_refused(tmp_path):
    text = "path,label,data set,kind\n1.png,a,train,test\n2.png,b,valid,test\n"
    path = write_list(tmp_path, "l.csv", text)
    with pytest.raises(UserError, match="the values of 'data set' are names of splits, and noth"):
        list_file(path)
    listing = list_file(path, columns={"split": "data set"})
    assert [record.split for record in listing.records] == ["train", "validation"]
    assert len(list_file(write_list(tmp_path, "l.csv", f"{text}3.png,b,,\n")).records) == 3
    vehicles = "path,label,kind\n1.png,a,train\n2.png,b,train\n"
    assert len(list_file(write_list(tmp_path, "l.csv", vehicles)).records) == 2


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_of_splits_is_seen_in_lists_of_any_kind(tmp_path, kind):
    def write(*splits):
        rows = [
            {"path": f"{n}.png", "label": f"{n % 2}", "set": split, "kind": "test", "note": "a"}
            for n, split in enumerate(splits)
        ]
        if kind == "parquet":
            table = pyarrow.Table.from_pylist(rows)
            table = table.set_column(2, "set", table.column("set").dictionary_encode())
            pyarrow.parquet.write_table(table, tmp_path / "l.parquet", row_group_size=2)
        elif kind == "jsonl":
            write_list(tmp_path, "l.jsonl", "\n".join(map(json.dumps, rows)))
        else:
            write_list(
                tmp_path, "l.csv", "\n".join(map(",".join, [rows[0], *map(dict.values, rows)]))
            )
        return str(tmp_path / f"l.{kind}")

    path = write("train", "Val", "test")
    with pytest.raises(UserError, match="values of 'set' are .*; say data.columns: {split: set}, "):
        list_file(path)
    assert list_file(path, columns={"split": "set"}).records[1].split == "validation"
    assert list_file(write("train", "val", "both")).records
    assert list_file(write("train", "val", "")).records


def test_keys_of_an_object_are_read_like_columns(tmp_path):
    text = (
        '{"Path": "1.png", "LABEL": "a", "width": {"a": [1]}}\n'
        '{"path": "2.png", "label": "b", "box": [], "split": " Eval"}\n'
    )
    listing = list_file(write_list(tmp_path, "l.jsonl", text))
    assert listing.records == (SourceRecord("1.png", "a"), SourceRecord("2.png", "b", "test"))
    (remark,) = listing.remarks
    assert remark.endswith("l.jsonl: nothing is made of 'box' and 'width'")


MARKED = "{},cat,dog,bird\n1.png,1,0,0\n2.png,0,0,1\n"


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("l.csv", MARKED.format("path"), r"by frame\[CLASSES\].idxmax\(axis=1\)$"),
        ("l.tsv", MARKED.format("filename").replace(",", "\t"), r"idxmax\(axis=1\)$"),
        (
            "l.csv",
            MARKED.format("filename"),
            "; or name the file _classes.csv and give its folder, ",
        ),
        ("_classes.csv", MARKED.format("Filename"), "; or give its folder, which is read as an ex"),
        (
            "l.jsonl",
            '{"path": "1.png", "cat": true, "dog": false, "bird": 0.0}\n',
            r"idxmax\(axis=1\)$",
        ),
    ],
)
def test_classes_that_are_marked_are_told_how_to_be_read(tmp_path, name, text, remedy):
    seem = "line 1: there is no 'label', but 'cat', 'dog' and 'bird' seem to be classes, each row"
    with pytest.raises(UserError, match=f"{seem} marked by a 1 .*{remedy}"):
        list_file(write_list(tmp_path, name, text))


@pytest.mark.parametrize(
    "text",
    [
        "path,cat,dog\n1.png,1,0\n2.png,0,0\n",  # As of pixels, and other figures.
        "path,class,train,test\n1.png,a,1,0\n2.png,b,0,1\n",
        "path,width,height,seen\n1.png,640,480,1\n",
        "path,a,a\n1.png,1,0\n",
        '{"path": "1.png", "a": 1, "b": 0}\n{"path": "2.png", "a": 1}\n',
    ],
)
def test_other_columns_of_ones_are_no_classes(tmp_path, text):
    name = "l.jsonl" if text.startswith("{") else "l.csv"
    with pytest.raises(
        UserError, match=r"there is no 'label', only .*; expected (a first|the col)"
    ):
        list_file(write_list(tmp_path, name, text))


def test_a_row_that_is_marked_as_two_classes_is_named(tmp_path):
    text = "path,cat,dog\n1.png,1,0\n2.png,1,1\n"
    with pytest.raises(UserError, match="and line 3 is marked as 'cat' and 'dog'; a classifier"):
        list_file(write_list(tmp_path, "l.csv", text))


def test_of_hundreds_of_columns_a_few_are_named(tmp_path):
    header = ",".join(f"pixel{n}" for n in range(784))
    with pytest.raises(
        UserError, match="only 'pixel0', .*, 'pixel4' and 779 more; expected a first line of"
    ):
        list_file(write_list(tmp_path, "l.csv", f"label,{header}\n"))


def test_further_columns_are_named_once(tmp_path):
    text = "path,label,width,\n1.png,a,1,\n2.png,b,1,\n"
    (remark,) = list_file(write_list(tmp_path, "l.csv", text)).remarks
    assert remark.endswith("l.csv: nothing is made of 'width'")


def test_a_group_in_two_splits_is_refused_with_both_lines(tmp_path):
    text = "path,label,split,group\n1.png,a,train,g\n2.png,b,,g\n3.png,b,test,g\n"
    with pytest.raises(UserError) as refused:
        list_file(write_list(tmp_path, "l.csv", text))
    assert "line 4: the group 'g' is in test here, and in train on line 2" in str(refused.value)


def test_a_line_that_is_nested_beyond_all_measure_is_named(tmp_path):
    with pytest.raises(UserError, match=r"line 1: not a record: it is nested too deeply"):
        list_file(write_list(tmp_path, "l.jsonl", "[" * 100_000))


def test_a_list_of_more_than_a_list_holds_is_refused_at_once(tmp_path):
    path = tmp_path / "pictures.csv"
    with path.open("wb") as file:
        file.write(b"path,label\n")
        file.truncate(20 << 30)
    with pytest.raises(UserError, match="pictures.csv: has 21474836480 bytes, .*part the data set"):
        list_file(str(path))
