"""A recipe names a schema of its data by a path, and a run takes its content along."""

import json
from pathlib import Path

import jsonschema
import pytest

from components.common.documents.data_schema import Range
from components.common.errors import UserError
from components.validate.config import ValidateConfig
from pipeline.declarations.yaml_files import parse_yaml
from pipeline.recipe import Recipe, load_recipe, recipe_schema
from pipeline.recipe.text import write_commented, write_section

SCHEMA = """
classes: [rose, tulip]
values: {format: [JPEG]}
ranges: {width: {least: 32, most: 64.5}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    path = tmp_path / "flowers.yaml"
    path.write_text(
        "name: flowers\ndata: {folder: ., image_size: 32}\n"
        "validate: {data_schema: schema.yaml}\n"
        "train: {backbone: small_cnn, weights: none, epochs: 1}\n"
        "tiny: {validate: {data_schema: {classes: [tulip]}}}\n"
    )
    return path


def load(path: Path, *overrides: str, tiny: bool = False) -> Recipe:
    return load_recipe(str(path), overrides, tiny=tiny)


def test_its_content_travels_and_is_read_back(recipe: Path) -> None:
    loaded = load(recipe)
    (recipe.parent / "schema.yaml").unlink()
    schema = loaded.validation.data_schema
    assert schema is not None and schema.classes == ("rose", "tulip")
    assert schema.ranges == {"width": Range(least=32, most=64.5)}
    assert Recipe.from_yaml(loaded.to_yaml()) == loaded
    config = loaded.stage_configs()["validate"]
    assert ValidateConfig.from_json(config.to_json()) == config
    assert Recipe.of(parse_yaml(write_commented(loaded))) == loaded
    assert parse_yaml(write_section(schema)) == parse_yaml(SCHEMA)


def test_overrides_change_it_or_take_its_place(recipe: Path, monkeypatch) -> None:
    changed = load(recipe, "validate.data_schema.values.format=[PNG]").validation.data_schema
    assert changed is not None
    assert (changed.values["format"], changed.classes) == (("PNG",), ("rose", "tulip"))
    tiny = load(recipe, tiny=True).validation.data_schema
    assert tiny is not None and (tiny.classes, set(tiny.ranges)) == (("tulip",), {"width"})
    monkeypatch.chdir(recipe.parent)
    (recipe.parent / "other.yaml").write_text("classes: [lily]")
    other = load(recipe, "validate.data_schema=other.yaml").validation.data_schema
    assert other is not None and (other.classes, other.values) == (("lily",), {})
    (recipe.parent / "schema.yaml").unlink()  # What isn't named isn't read.
    assert load(recipe, "validate.data_schema=null").validation.data_schema is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "schema.yaml: expected a mapping of sections, such as `classes:` and `ranges:`"),
        ("formats: [JPEG]", "schema.yaml: the schema is refused\n  formats: there is no such key"),
        ("classes: [1]", "classes.0: must be text: write it in quotes"),
        ("classes: []", "classes: "),
        ("ranges: {width: {least: 2, most: 1}}", "least is 2, and must be at most 1"),
        ("ranges: {width: {least: 2}}", "ranges.width.most: is required"),
        ("values: {format: [JPG]}", "data_schema.values.format: of pictures must be among JPEG, "),
        ("values: {script: [LATIN]}", "values: of pictures must be among format, mode (got script"),
        ("ranges: {characters: {least: 1, most: 2}}", "(got characters)"),
    ],
)
def test_what_it_can_t_say_is_refused(recipe: Path, text: str, message: str) -> None:
    (recipe.parent / "schema.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load(recipe)
    assert message in str(caught.value)


@pytest.mark.parametrize("location", ["none.yaml", "gs://bucket/schema.yaml", "."])
def test_only_a_file_of_this_machine_is_read(recipe: Path, location: str) -> None:
    with pytest.raises(UserError, match="validate.data_schema: "):
        load(recipe, f"validate.data_schema={location}")


def test_an_editor_s_schema_takes_a_path_or_the_content(recipe: Path) -> None:
    schema = jsonschema.Draft202012Validator(recipe_schema())
    values = parse_yaml(recipe.read_text())
    schema.validate(values)
    schema.validate(
        json.loads(json.dumps({**values, "validate": load(recipe).stated()["validate"]}))
    )
    values["validate"] = {"data_schema": {"formats": ["JPEG"]}}
    assert not schema.is_valid(values)
