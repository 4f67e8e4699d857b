"""Exports of tools in which people label pictures: Label Studio, CVAT, Roboflow."""

import json

import pytest

from components.common.errors import UserError
from components.preprocess.kinds import LabelStudioSource
from components.preprocess.layouts import list_folder_as_told, list_source
from tests.components.preprocess.layouts.examples import examples, seen, write, write_plain


@pytest.fixture
def plain(tmp_path):
    return seen(list_folder_as_told(write_plain(tmp_path / "plain")))


def without_splits(found):
    return found._replace(
        examples=frozenset((id_, label, None) for id_, label, _ in found.examples)
    )


def chosen(*choices):
    return {"result": [{"type": "choices", "value": {"choices": list(choices)}}]}


def label_studio(folder, tasks):
    path = write(folder, {"export.json": json.dumps(tasks).encode()})
    return LabelStudioSource(kind="label_studio", path=f"{path}/export.json")


@pytest.mark.parametrize("form", ["json", "json-min"])
def test_label_studio(tmp_path, plain, form):
    write(tmp_path / "x", {f"images/{e.name}": e.data for e in examples()})
    addresses = [
        "/data/upload/1/0f1e2d3c-{}",
        "/data/local-files/?d=images%2F{}",
        "/data/local-files/?d=C:\\mine\\images%5C{}",
        "images/{}",
    ]
    tasks = []
    for index, e in enumerate(examples()):
        image = addresses[index % 4].format(e.name)
        if form == "json":
            tasks.append({"id": index, "data": {"image": image}, "annotations": [chosen(e.label)]})
        else:
            tasks.append({"id": index, "image": image, "choice": e.label})
    tasks.append({"id": 99, "data": {"image": f"images/{examples()[0].name}"}, "annotations": []})
    found = seen(list_source(label_studio(tmp_path / "x", tasks)))
    assert found.rejects == 1  # Of the task without a choice.
    assert found._replace(rejects=0) == without_splits(plain)


def test_label_studio_s_texts_and_annotators_who_disagree(tmp_path):
    tasks = [
        {"data": {"text": "good"}, "annotations": [chosen("yes"), chosen("no")]},
        {"data": {"text": "bad"}, "annotations": [chosen("no"), {"was_cancelled": True}]},
    ]
    listing = list_source(label_studio(tmp_path, tasks), task="text")
    assert sorted((r.text, r.label) for r in listing.records) == [
        ("bad", "no"),
        ("good", "no"),
        ("good", "yes"),
    ]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"data": {"image": "1.png"}, "annotations": [chosen("a", "b")]}, "'a' and 'b'; a class"),
        ({"data": {"image": "http://x/1.png"}, "annotations": [chosen("a")]}, "does not lie below"),
        ({"data": {"front": "1.png", "back": "2.png"}}, "'front' or 'back' may hold the image"),
        ({"data": {"image": "1.png"}, "annotations": []}, "no task has a choice"),
        ({"data": {"text": "a"}, "annotations": [chosen("b")]}, "task 0: holds texts; a recipe"),
        ({"id": 3, "text": "a", "choice": "b"}, "task 3: holds texts; a recipe"),
        ({"image": "1.png", "sentiment": "a"}, "must be named choice or label: else export JSON"),
        ({"id": 3, "image": "1.png", "choice": 5}, "task 3: the choice must be text, not 5"),
        ({"image": "1.png", "label": 0}, "task 0: the choice must be text, not 0"),
        ({"image": "1.png", "label": "a", "split": "x"}, "task 0: unknown split 'x'; allowed are"),
        ({"data": {"image": "1.png"}, "annotations": [{"result": None}]}, "does not stand as"),
        ({"data": {"image": "1.png"}, "annotations": ["a"]}, "does not stand as"),
    ],
)
def test_label_studio_s_tasks_that_give_no_single_class_are_refused(tmp_path, task, message):
    with pytest.raises(UserError, match=message):
        list_source(label_studio(tmp_path, [task]))


def test_label_studio_s_data_may_state_split_group_and_slice(tmp_path):
    known = {"split": "test", "group": 7, "slice": "dark"}
    tasks = [
        {"data": {"image": "1.png", **known}, "annotations": [chosen("a")]},
        {"image": "2.png", "choice": "b", **known},
    ]
    records = list_source(label_studio(tmp_path, tasks)).records
    assert [(r.split, r.group, r.slice) for r in records] == [("test", "7", "dark")] * 2


def test_label_studio_s_export_is_a_file(tmp_path):
    """Of a folder, what stands beside it would be searched."""
    with pytest.raises(UserError, match="is no file; give the .json that Label Studio exported"):
        list_source(LabelStudioSource(kind="label_studio", path=str(tmp_path)))


def cvat(images):
    return f"<annotations><version>1.1</version>{images}</annotations>".encode()


def test_cvat(tmp_path, plain):
    files = {f"images/{e.split}/{e.name}": e.data for e in examples()}
    images = "".join(
        f'<image id="{i}" name="{e.name}" subset="{e.split}" width="16" height="16">'
        f'<tag label="{e.label}" source="manual"></tag><box label="x" xtl="1"/></image>'
        for i, e in enumerate(examples())
    )
    path = write(tmp_path / "cvat", {**files, "annotations.xml": cvat(images)})
    assert seen(list_folder_as_told(path)) == plain


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ('<image id="3" name="1.png"><tag label="a"/><tag label="b"/></image>', "3: has the tags"),
        ('<image id="3" name="1.png"><box label="a"/></image>', "no picture has a tag"),
        ("<image>", "not valid XML"),
        ("<!DOCTYPE x>", "declares entities"),
        ("<a>" * 20 + "</a>" * 20, "nested too deeply"),
    ],
)
def test_cvat_s_exports_that_give_no_single_class_are_refused(tmp_path, images, message):
    with pytest.raises(UserError, match=message):
        list_folder_as_told(write(tmp_path, {"annotations.xml": cvat(images)}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("<!DOCTYPE x><annotations/>".encode("utf-16"), "is not UTF-8 text"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotations/>', "names no picture"),
        (b'<?xml version="1.0" encoding="utf-7"?><annotations/>', "names no picture"),
    ],
)
def test_cvat_s_exports_are_utf_8_whatever_they_say(tmp_path, data, message):
    """In another encoding entities would pass unseen."""
    with pytest.raises(UserError, match=message):
        list_folder_as_told(write(tmp_path, {"annotations.xml": data}))


def test_roboflow(tmp_path, plain):
    files = {f"{e.split}/{e.name}": e.data for e in examples()}
    for split in ("train", "validation", "test"):
        rows = [
            f"{e.name}, {', '.join(str(int(e.label == name)) for name in plain.class_names)}"
            for e in examples()
            if e.split == split
        ]
        header = f"filename, {', '.join(plain.class_names)}"
        files[f"{split}/_classes.csv"] = "\n".join([header, *rows]).encode()
    path = write(tmp_path / "roboflow", files)
    assert seen(list_folder_as_told(path)) == plain
    table = tmp_path / "roboflow" / "test" / "_classes.csv"
    table.write_text("filename, bar, cross\n1.png, 1, 1\n")
    with pytest.raises(UserError, match="line 2: is 'bar' and 'cross'; a classifier gives each"):
        list_folder_as_told(path)


def test_json_lines_that_are_named_json_are_told_how_to_be_named(tmp_path):
    lines = b'{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
    source = f"{write(tmp_path, {'x.json': lines})}/x.json"
    with pytest.raises(UserError, match=r"name it \.jsonl, where each of its lines is an object"):
        list_source(LabelStudioSource(kind="label_studio", path=source), task="text")
