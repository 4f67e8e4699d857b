"""`litesmith data inspect`: what is understood of a source, before anything is written."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.common.documents.data_schema import DataSchema, Range
from components.common.errors import UserError
from pipeline.cli.main import app
from pipeline.recipe import load_recipe
from tests.components.preprocess.folders import shape_png
from tests.components.preprocess.layouts.examples import examples, write, write_plain
from tests.components.preprocess.layouts.test_annotations import chosen
from tests.components.preprocess.layouts.test_webdataset import write_shards


def inspect(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["data", "inspect", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_source_is_told_of_and_shown_and_nothing_else_is_written(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "shards")
    before = sorted(tmp_path.rglob("*"))
    page = tmp_path / "sheet.html"
    told = " ".join(inspect(source, "--html", str(page)).split())
    for words in (
        "is read as tar files, as WebDataset, for there is shapes-test-000000.tar",
        "24 of 24 records",
        "stated for 15 train, 3 validation, 6 test",
        "24 PNG",
        "16 to 16, half of them up to 16 (24 looked at)",
    ):
        assert words in told
    assert sorted(tmp_path.rglob("*")) == sorted([*before, page])
    html = page.read_text(encoding="utf-8")
    assert html.count('<img src="data:image/jpeg;base64,') == 24
    assert all(f"<h3>{name}</h3>" in html for name in ("bar", "cross", "disc"))
    assert "--accent: #2b5fd9" in html  # The report's look.


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    write_plain(tmp_path / "plain")
    write(tmp_path / "plain", {"train/bar/x.png": b"no <b>picture", "test/disc/Thumbs.db": b"1"})
    found = json.loads(inspect(str(tmp_path / "plain"), "--json"))
    assert found["rejects"] == {"not_an_image": 1} and found["passed_over"] == {"Thumbs.db": 1}
    assert found["rejected"][0].startswith("train/bar/x.png: not_an_image")
    assert found["classes"][0] == {
        "name": "bar",
        "examples": {"train": 5, "validation": 1, "test": 2},
    }


def test_what_a_run_would_stop_at_is_shown_and_then_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {f"{name}/1.png": name.encode() for name in ("cat", "dog")})
    for more in ((), ("--json",)):
        result = CliRunner().invoke(app, ["data", "inspect", path, *more])
        assert "not_an_image" in result.output
        assert str(result.exception).startswith("2 of 2 records are rejected (2 not_an_image), ")
    assert "0 of 2 records" in inspect(path, "--set", "data.max_reject_share=1")


def test_what_a_recipe_takes_is_opened_and_nothing_larger(tmp_path: Path) -> None:
    for label, name in enumerate(("cat", "dog")):
        write(tmp_path, {f"{name}/{n}.png": shape_png(label, n, size=24 + n) for n in range(2)})
    bound = ("--set", f"data.max_pixels={24 * 24}")
    found = json.loads(inspect(str(tmp_path), *bound, "--json"))
    assert [line.split(": ")[:2] for line in found["unreadable"]] == [
        ["cat/1.png", "oversized (has 25x25 = 625 pixels; max_pixels allows 576)"],
        ["dog/1.png", "oversized (has 25x25 = 625 pixels; max_pixels allows 576)"],
    ]
    schema = DataSchema.model_validate_json(inspect(str(tmp_path), *bound, "--schema", "--json"))
    assert schema.ranges["width"] == Range(least=24, most=24)
    refused = CliRunner().invoke(app, ["data", "inspect", str(tmp_path), "--html", str(tmp_path)])
    assert "is a folder; name a file in it" in str(refused.exception)
    both = ["data", "inspect", str(tmp_path), "--schema", "--html", "sheet.html"]
    assert "either --schema or --html" in str(CliRunner().invoke(app, both).exception)


def test_a_file_in_the_place_of_a_folder_is_told_apart_from_one_that_is_missing(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, {"x.zip": b"PK"})
    with pytest.raises(UserError, match="x.zip' is a file, where a folder is expected; unpack an"):
        inspect(f"{path}/x.zip")
    with pytest.raises(UserError, match="there is no folder '.*y.zip'"):
        inspect(f"{path}/y.zip")


def test_an_export_by_its_ending_texts_and_a_layout_that_is_named(tmp_path: Path) -> None:
    tasks = [
        {"data": {"text": f"text <i>{index}"}, "annotations": [chosen("ab"[index % 2])]}
        for index in range(8)
    ]
    write(tmp_path, {"export.json": json.dumps(tasks).encode()})
    page = tmp_path / "sheet.html"
    told = inspect(str(tmp_path / "export.json"), "--text", "--html", str(page))
    assert "8 of 8 records" in told and "characters" in told
    html = page.read_text(encoding="utf-8")
    assert html.count("<q>text &lt;i&gt;") == 8
    assert f"<h1>{tmp_path}/export.json</h1>" in html
    write(tmp_path / "x", {f"{e.split}/{e.label}/{e.name}": e.data for e in examples()})
    write(tmp_path / "x", {"old.tar": b""})
    with pytest.raises(UserError, match="kind webdataset"):
        inspect(str(tmp_path / "x"))
    assert "24 of 24 records" in inspect(str(tmp_path / "x"), "--kind", "folders")


def test_a_schema_is_printed_for_a_recipe_that_names_it(tmp_path: Path) -> None:
    write_plain(tmp_path / "plain")
    path, recipe = tmp_path / "schema.yaml", tmp_path / "shapes.yaml"
    recipe.write_text(
        "name: shapes\ndata: {folder: plain, image_size: 32}\n"
        "validate: {data_schema: schema.yaml}\n"
        "train: {backbone: small_cnn, weights: none, epochs: 1}\n"
    )
    path.write_text("")  # As a shell leaves it that redirects to it.
    path.write_text(inspect(str(recipe), "--schema"))
    assert load_recipe(str(recipe)).validation.data_schema == DataSchema(
        classes=("bar", "cross", "disc"),
        values={"format": ("PNG",), "mode": ("L",)},
        ranges=dict.fromkeys(("width", "height"), Range(least=16, most=16)),
    )
    assert json.loads(inspect(str(recipe), "--schema", "--json"))["classes"][0] == "bar"
