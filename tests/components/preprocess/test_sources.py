"""Folders and list files become listings, or errors that say what to do."""

import json
import os

import pytest

from components.common.errors import UserError
from components.preprocess.sources import Listing, SourceRecord, list_file, list_folder


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return str(folder)


def paths(listing: Listing) -> list[str]:
    return [record.path for record in listing.records]


def write_list(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


class TestFolder:
    def test_the_first_level_names_the_class_at_any_depth(self, tmp_path):
        listing = list_folder(touch(tmp_path, "b/2.png", "a/x/y/1.png", "a/0.png"))
        assert listing.class_names == ("a", "b")
        assert [(record.path, record.label) for record in listing.records] == [
            ("a/0.png", "a"),
            ("a/x/y/1.png", "a"),
            ("b/2.png", "b"),
        ]

    def test_hidden_files_and_folders_are_left_out(self, tmp_path):
        listing = list_folder(touch(tmp_path, "a/1.png", "b/2.png", "a/.DS_Store", ".git/c.png"))
        assert paths(listing) == ["a/1.png", "b/2.png"]

    def test_an_empty_folder_is_a_class(self, tmp_path):
        (tmp_path / "empty").mkdir()
        assert list_folder(touch(tmp_path, "a/1.png")).class_names == ("a", "empty")

    def test_a_picture_outside_the_classes_has_no_label(self, tmp_path):
        listing = list_folder(touch(tmp_path, "a/1.png", "b/2.png", "stray.jpg", "README.md"))
        assert SourceRecord("stray.jpg", None) in listing.records
        assert "README.md" not in paths(listing)

    def test_links_are_followed(self, tmp_path):
        touch(tmp_path / "elsewhere", "1.png", "deep/2.png")
        root = touch(tmp_path / "root", "b/3.png")
        os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "a")
        assert paths(list_folder(root)) == ["a/1.png", "a/deep/2.png", "b/3.png"]

    def test_a_folder_linked_twice_is_searched_once_per_class(self, tmp_path):
        touch(tmp_path / "elsewhere", "1.png")
        root = touch(tmp_path / "root", "a/0.png", "b/3.png")
        for link in ("a/first", "a/second", "b/first"):
            os.symlink(tmp_path / "elsewhere", tmp_path / "root" / link)
        assert paths(list_folder(root)) == ["a/0.png", "a/first/1.png", "b/3.png", "b/first/1.png"]

    @pytest.mark.parametrize("target", [".", "..", "../.."])
    def test_a_loop_is_refused(self, tmp_path, target):
        root = touch(tmp_path, "a/deep/1.png", "b/2.png")
        os.symlink(target, tmp_path / "a" / "deep" / "loop")
        with pytest.raises(UserError, match=r"loop: this link leads back"):
            list_folder(root)

    @pytest.mark.parametrize("target", ["nowhere.png", "broken.png"])
    def test_a_link_that_leads_nowhere_is_a_record(self, tmp_path, target):
        root = touch(tmp_path, "a/1.png", "b/2.png")
        os.symlink(target, tmp_path / "a" / "broken.png")
        assert "a/broken.png" in paths(list_folder(root))

    def test_a_name_that_is_not_text_is_refused(self, tmp_path):
        root = touch(tmp_path, "a/1.png", "b/2.png")
        with open(os.fsencode(tmp_path) + b"/a/\xff.png", "wb"):
            pass
        with pytest.raises(UserError, match=r"\\xff\.png' is not UTF-8; rename the file"):
            list_folder(root)

    def test_what_is_no_data_set_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="is not a folder"):
            list_folder(str(tmp_path / "missing"))
        with pytest.raises(UserError, match="has no sub-folders"):
            list_folder(touch(tmp_path / "flat", "1.png"))
        with pytest.raises(UserError, match="single class, 'a'"):
            list_folder(touch(tmp_path / "one", "a/1.png"))
        (tmp_path / "void" / "a").mkdir(parents=True)
        with pytest.raises(UserError, match="holds no pictures"):
            list_folder(str(tmp_path / "void"))


class TestList:
    def test_csv_and_jsonl_say_the_same(self, tmp_path):
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

    def test_paths_are_relative_to_the_list_wherever_it_lies(self, tmp_path):
        text = f"\ufeffpath,label\n{tmp_path}/p/1.png,a\n../q/./2.png,b\n"
        listing = list_file(write_list(tmp_path, "l.csv", text))
        assert paths(listing) == ["../q/2.png", "p/1.png"]

    def test_numbers_are_labels(self, tmp_path):
        text = '{"path": "1.png", "label": 3}\n{"path": "2.png", "label": 4}\n'
        assert list_file(write_list(tmp_path, "l.jsonl", text)).class_names == ("3", "4")

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("l.csv", "file,label\n", r"l\.csv, line 1: there is no 'path'"),
            ("l.csv", "path,label,colour\n", r"line 1: unknown 'colour'; allowed are path,"),
            ("l.csv", "path,label\n1.png,a\n2.png\n", r"line 3: expected 2 values"),
            ("l.csv", "path,label\n1.png,a,b\n", r"line 2: expected 2 values"),
            ("l.csv", "path,label\n1.png,\n", r"line 2: the label is empty"),
            ("l.csv", 'path,label\n"1.png,a\n', r"not valid CSV"),
            ("l.csv", "path,label,split\n1.png,a,val\n", r"unknown split 'val'; allowed are train"),
            ("l.csv", "path,label\n", r"l\.csv: holds no pictures"),
            ("l.csv", "path,label\n1.png,a\n", r"l\.csv: has a single class"),
            ("l.jsonl", '{"path": "1.png", "label": "a"}\n{nope\n', r"line 2: not valid JSON"),
            ("l.jsonl", '["1.png"]\n', r"line 1: expected an object"),
            ("l.jsonl", '{"path": "1.png"}\n', r"line 1: there is no 'label'"),
            ("l.jsonl", '{"path": "1.png", "label": true}\n', r"label must be text, not True"),
            ("l.txt", "", r"must be a \.csv or a \.jsonl"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, tmp_path, name, text, message):
        with pytest.raises(UserError, match=message):
            list_file(write_list(tmp_path, name, text))

    def test_a_missing_or_undecodable_list_is_named(self, tmp_path):
        with pytest.raises(UserError, match="there is no such file"):
            list_file(str(tmp_path / "gone.csv"))
        (tmp_path / "latin.csv").write_bytes("path,label\nä.png,a\n".encode("latin-1"))
        with pytest.raises(UserError, match="is not UTF-8"):
            list_file(str(tmp_path / "latin.csv"))
