"""A recipe names its task, and is read as a recipe of that."""

from pathlib import Path

import jsonschema
import pytest

from components.common.errors import UserError
from components.finetune.config import FinetuneConfig, TextFinetuneConfig, TrainConfig
from pipeline.declarations.yaml_files import parse_yaml
from pipeline.recipe import Recipe, load_recipe, recipe_schema

TEXTS = """
name: films
task: text
data: {list: texts.jsonl}
train: {encoder: encoder, lora: {epochs: 2, rank: 4}}
budgets: {accuracy_drop: 0.02}
"""


def read(folder: Path, text: str, *overrides: str) -> Recipe:
    (folder / "recipe.yaml").write_text(text)
    return load_recipe(str(folder / "recipe.yaml"), overrides, locations="elsewhere")


def test_a_recipe_is_one_for_pictures_unless_it_says_otherwise() -> None:
    recipe = load_recipe("digits")
    assert recipe.task == "image" and isinstance(recipe.train, FinetuneConfig)


def test_a_recipe_for_texts_reads_back_as_it_was_written(tmp_path: Path) -> None:
    recipe = read(tmp_path, TEXTS, "compress.variants={short: {steps: [{length: {tokens: 8}}]}}")
    assert recipe.task == "text" and isinstance(recipe.train, TextFinetuneConfig)
    assert "image_size" not in recipe.to_yaml()
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_stages_are_told_their_task_s_own(tmp_path: Path) -> None:
    configs = read(tmp_path, TEXTS).stage_configs()
    encoder = str(tmp_path / "encoder")
    told = TrainConfig.from_json(configs["finetune"].to_json())
    assert isinstance(told, TextFinetuneConfig) and told.encoder == encoder
    # The encoder's vocabulary makes texts into tokens.
    assert configs["preprocess"].model_dump()["encoder"] == encoder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["task=sound"], "task: must be 'image'"),
        (["data.image_size=64"], "data.image_size: the recipe is one for texts"),
        (["validate.one_colour=stop"], "validate.one_colour: the recipe is one for texts"),
        (["train.backbone=small_cnn"], "train.backbone: there is no such key"),
        (["train.task=text"], "train.task: is filled in"),
        (["train.unfreeze.epochs=1"], "lora and unfreeze: state one of them"),
        (
            ["compress.variants={short: {steps: [{length: {augment: {flip: true}}}]}}"],
            "augment: texts are not changed",
        ),
        *(
            (
                [f"compress.variants={{small: {{steps: [{kind}]}}}}"],
                f"{kind} is a step for the task",
            )
            for kind in ("channels", "distil", "qat")
        ),
        *(
            ([change], f"{key}: int16x8 is not for the task text: .*state dynamic_range")
            for key, change in {
                "quantize.schemes": "quantize.schemes=[float32, int16x8]",
                "quantize.compressed_schemes": "quantize.compressed_schemes=[int16x8]",
                "compress.variants.few.schemes": "compress.variants={few: {steps: [vocabulary], "
                "schemes: [int16x8]}}",
            }.items()
        ),
        (
            [
                "data.text.length=16",
                "compress.variants={short: {steps: [{length: {tokens: 16}}]}}",
            ],
            "compress.variants.short.steps.length.tokens: .* sees 16 tokens of a text; state fewer",
        ),
        (
            [
                "compress.variants={short: {steps: [{length: {tokens: 8}}]}, "
                "longer: {parent: short, steps: [{length: {tokens: 9}}]}}",
            ],
            "compress.variants.longer.steps.length.tokens: .* sees 8 tokens",
        ),
    ],
)
def test_what_is_not_of_texts_is_refused_by_its_key(
    changes: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, TEXTS, *changes)


def test_pictures_have_no_tokens(tmp_path: Path) -> None:
    pictures = TEXTS.replace("task: text", "task: image").replace(
        "{encoder: encoder, lora: {epochs: 2, rank: 4}}", "{backbone: small_cnn}"
    )
    with pytest.raises(UserError, match="data.text: the recipe is one for pictures"):
        read(tmp_path, pictures, "data.text.length=32")
    with pytest.raises(UserError, match="validate.cut_texts: the recipe is one for pictures"):
        read(tmp_path, pictures, "validate.cut_texts=stop")


def test_the_schema_takes_what_recipes_of_each_task_state(tmp_path: Path) -> None:
    schema = jsonschema.Draft202012Validator(recipe_schema())
    texts = parse_yaml(read(tmp_path, TEXTS).to_yaml())
    for values in (texts, parse_yaml(load_recipe("digits").to_yaml())):
        schema.validate(values)
    for key, value in (("image_size", 64), ("encoder", "minilm_l6")):
        assert not schema.is_valid({**texts, "data": {**texts["data"], key: value}})
    assert not schema.is_valid({key: texts[key] for key in texts if key != "task"})


def test_what_a_recipe_states_is_of_its_task(tmp_path: Path) -> None:
    texts, pictures = read(tmp_path, TEXTS).to_yaml(), load_recipe("digits").to_yaml()
    for key in ("same_pixels", "image_size", "mirrored_classes"):
        assert f" {key}:" in pictures and f" {key}:" not in texts
    for key in ("same_tokens", "text", "cut_texts"):
        assert f" {key}:" in texts and f" {key}:" not in pictures
