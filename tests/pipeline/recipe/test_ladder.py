"""Declared ladders: variants, their schemes and file steps, and what of them is refused."""

from pathlib import Path

import jsonschema
import pytest

from components.common.documents.variant import StepSpec
from components.common.errors import UserError
from components.compress.config import CompressConfig
from components.quantize.config import QuantizeConfig
from pipeline.declarations.yaml_files import parse_yaml
from pipeline.doctor.trial_recipe import trial_recipe
from pipeline.recipe import Recipe, load_recipe, recipe_schema
from pipeline.recipe.sufficiency import check_sufficiency
from pipeline.recipe.text import write_commented

RECIPE = """
name: mine
data: {sample: digits, image_size: 16, channels: 1}
train: {backbone: small_cnn, label_smoothing: 0.1, augment: {flip: true}}
prune: {epochs: 2}
compress:
  variants:
    # Children stand before their parents on purpose.
    sparse-90:
      parent: sparse
      steps: [{prune: {final_sparsity: 0.9, label_smoothing: 0.2, augment: {flip: false}}}, prune]
      schemes: [int8, {int8: {file_steps: [share]}}]
    sparse: {steps: [{prune: {epochs: 3}}], schemes: []}
    more: {parent: pruned, steps: [prune]}
quantize:
  schemes: [float32, {int8: {file_steps: [share]}}]
  compressed_schemes: [float16]
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE)
    return str(file)


@pytest.fixture
def recipe(path: str) -> Recipe:
    return load_recipe(path)


def test_variants_stand_after_their_parents_whatever_their_order_in_the_file(
    recipe: Recipe,
) -> None:
    assert [(each.id, each.parent) for each in recipe.variants()] == [
        ("dense", None),
        ("pruned", "dense"),
        ("sparse", "dense"),
        ("sparse-90", "sparse"),
        ("more", "pruned"),
    ]
    config = recipe.stage_configs()["compress"]
    assert isinstance(config, CompressConfig)
    assert [each.id for each in config.variants] == ["pruned", "sparse", "sparse-90", "more"]
    kinds = {each.variant_id: each.kinds for each in recipe.compressions()}
    assert kinds["sparse-90"] == ("prune", "prune")


def test_a_candidate_is_called_by_variant_scheme_and_the_file_steps_stated_with_it(
    recipe: Recipe,
) -> None:
    assert recipe.candidate_ids() == (
        "float32",
        "int8-share",
        "pruned-float16",
        "sparse-90-int8",
        "sparse-90-int8-share",
        "more-float16",
    )


def test_a_step_on_the_file_is_told_and_named_by_what_it_is_told(path: str) -> None:
    own = "[{int8: {file_steps: [{snap: {bits: 4}}, share]}}, {int8: {file_steps: [snap]}}]"
    recipe = load_recipe(path, [f"compress.variants.more.schemes={own}"])
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert recipe.candidate_ids()[-2:] == ("more-int8-snap4-share", "more-int8-snap6")
    with pytest.raises(UserError, match=r"file_steps\.0\.snap\.bits: must be"):
        load_recipe(path, [f"compress.variants.more.schemes={own.replace('4', '40')}"])


def test_file_steps_of_all_go_to_every_candidate_that_states_none(path: str) -> None:
    own = {"compress.variants.sparse-90.schemes": "[{int8: {file_steps: []}}, float16]"}
    changes = [f"{key}={value}" for key, value in own.items()]
    config = load_recipe(path, [*changes, "quantize.file_steps=[share]"]).stage_configs()
    quantize = config["quantize"]
    assert isinstance(quantize, QuantizeConfig)
    steps = {each.id: [step.kind for step in each.file_steps] for each in quantize.candidates}
    assert steps == {
        "float32": ["share"],
        "int8-share": ["share"],
        "pruned-float16": ["share"],
        "sparse-90-int8": [],
        "sparse-90-float16": ["share"],
        "more-float16": ["share"],
    }


def test_a_candidate_states_of_its_scheme_what_that_takes(path: str) -> None:
    own = "[{int8_selective: {float_layers: [head], file_steps: [share]}}]"
    recipe = load_recipe(path, [f"compress.variants.more.schemes={own}"])
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert parse_yaml(write_commented(recipe)) == parse_yaml(recipe.to_yaml())
    quantize = recipe.stage_configs()["quantize"]
    assert isinstance(quantize, QuantizeConfig)
    candidate = quantize.candidates[-1]
    assert candidate.id == "more-int8_selective-share"
    assert candidate.scheme.settings["float_layers"] == ["head"]
    with pytest.raises(UserError, match=r"schemes\.0\.int8_selective\.float_layers: is required"):
        load_recipe(path, ["compress.variants.more.schemes=[int8_selective]"])
    with pytest.raises(UserError, match=r"schemes\.0\.int8\.float_layers: there is no such key"):
        load_recipe(path, ["compress.variants.more.schemes=[{int8: {float_layers: [head]}}]"])


def test_every_step_learns_as_training_does_where_it_states_nothing_else(recipe: Recipe) -> None:
    first, second = (step.settings for step in recipe.variants()[3].steps)
    assert (first["label_smoothing"], second["label_smoothing"]) == (0.2, 0.1)
    assert (first["augment"]["flip"], second["augment"]["flip"]) == (False, True)


def steps_of(id_: str, recipe: Recipe) -> tuple[StepSpec, ...]:
    (variant,) = (each for each in recipe.variants() if each.id == id_)
    return variant.steps


def test_a_student_is_of_the_backbone_that_is_trained_where_it_states_none(path: str) -> None:
    changes = ["data.channels=3", "data.image_size=32", "train.backbone=mobilenet_v2"]
    told = "compress.variants.small={steps: [channels, {distil: {width: 0.5}}]}"
    cut, student = steps_of("small", load_recipe(path, [*changes, told]))
    assert (cut.settings["share"], cut.settings["label_smoothing"]) == (0.5, 0.1)
    assert (student.settings["backbone"], student.settings["width"]) == ("mobilenet_v2", 0.5)
    stated = load_recipe(path, [*changes, told.replace("width: 0.5", "backbone: small_cnn")])
    assert steps_of("small", stated)[1].settings["backbone"] == "small_cnn"


def test_a_mirror_in_any_step_is_told_to_validate(path: str) -> None:
    flips = {"train": "train.augment.flip", "step": "compress.variants.more.steps"}
    plain = [f"{flips['train']}=false"]
    for more, mirrored in (
        ([], False),
        ([f"{flips['step']}=[{{prune: {{augment: {{flip: true}}}}}}]"], True),
    ):
        validate = load_recipe(path, [*plain, *more]).stage_configs()["validate"]
        assert validate.mirrored is mirrored  # type: ignore[attr-defined]


def test_a_ladder_survives_its_own_yaml_and_its_comments(recipe: Recipe) -> None:
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    text = write_commented(recipe)
    assert parse_yaml(text) == parse_yaml(recipe.to_yaml())
    assert max(map(len, text.splitlines())) <= 100
    lines = text.splitlines()
    above = "    " + lines[lines.index("    sparse-90:") + 1].strip()
    assert above.startswith("    # The id of the variant that it is made of")
    assert "      # Where pruning begins" in text
    assert "Each one of float32, float16, dynamic_range, int8, " in " ".join(
        line.strip(" #") for line in lines
    )


def test_the_schema_takes_a_name_or_a_name_with_what_it_is_told() -> None:
    definitions = recipe_schema()["$defs"]
    name, stated = definitions["DeclaredScheme"]["anyOf"]
    assert "int8" in name["enum"]
    assert stated["properties"]["int8"] == {"$ref": "#/$defs/int8_settings"}
    assert set(definitions["int8_settings"]["properties"]) == {"file_steps"}
    assert (stated["minProperties"], stated["maxProperties"]) == (1, 1)
    assert "prune" in definitions["DeclaredStep"]["anyOf"][1]["properties"]
    assert definitions["DeclaredVariant"]["required"] == ["steps"]


def test_what_is_read_fits_the_schema_and_what_is_refused_does_not(recipe: Recipe) -> None:
    schema = jsonschema.Draft202012Validator(recipe_schema())
    for text in (RECIPE, recipe.to_yaml()):
        schema.validate(parse_yaml(text))
        values = parse_yaml(text)
        for wrong in ([], [{}], ["prun"], [{"prune": {"epoch": 1}}], [{"prune": {}, "qat": {}}]):
            values["compress"]["variants"]["more"]["steps"] = wrong
            assert not schema.is_valid(values)


def test_an_override_changes_one_entry_of_a_list_by_its_place(path: str) -> None:
    changed = load_recipe(path, ["compress.variants.sparse-90.steps.1.prune={epochs: 5}"])
    assert [step.settings["epochs"] for step in changed.variants()[3].steps] == [8, 5]
    changed = load_recipe(path, ["compress.variants.sparse-90.schemes.0=float16"])
    assert "sparse-90-float16" in changed.candidate_ids()
    with pytest.raises(UserError, match=r"sparse-90\.steps\.2: there is no such entry; .* has 2"):
        load_recipe(path, ["compress.variants.sparse-90.steps.2.prune.epochs=5"])


def test_the_trial_shortens_every_step(recipe: Recipe, tmp_path: Path) -> None:
    trial = trial_recipe(recipe, tmp_path)
    steps = [step for variant in trial.variants() for step in variant.steps]
    assert {step.settings["epochs"] for step in steps} == {2}
    assert trial.candidate_ids() == recipe.candidate_ids()


def test_the_name_of_a_variant_may_be_a_word_of_yaml(path: str) -> None:
    recipe = load_recipe(path, ["compress.variants={'null': {steps: [prune]}}"])
    assert parse_yaml(write_commented(recipe)) == parse_yaml(recipe.to_yaml())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("more.parent=sprse", 'more.parent: there is no variant "sprse"; did you mean sparse?'),
        (
            "more.parent=more",
            "more.parent: more is made of more: one of them must be made of dense",
        ),
        (
            "sparse.parent=sparse-90",
            "sparse-90.parent: sparse-90 is made of sparse, that of sparse-90: one of them",
        ),
        ("more.steps=[]", "more.steps: must name a step, such as {prune:"),
        ("more.steps=[{prun: {}}]", "more.steps.0.prun: there is no such key; did you mean prune?"),
        ("more.steps=[prun]", "more.steps.0: must be one of prune"),
        ("more.steps=[{}]", "more.steps.0: must name one of prune"),
        ("more.steps.0={prune: {epochs: 0}}", "more.steps.0.prune.epochs: must be greater than"),
        ("more.steps.0={prune: {epoch: 1}}", "more.steps.0.prune.epoch: there is no such key; did"),
        ("more.steps.0={prune: {keep_dense: 3}}", "more.steps.0.prune.keep_dense: must be a list"),
        ("more.schemes=[int5]", "more.schemes.0: must be one of float32,"),
        ("more.schemes=[{int8: {file_steps: [shar]}}]", "schemes.0.int8.file_steps.0: must be one"),
        ("more.schemes=[{int8: {steps: []}}]", "more.schemes.0.int8.steps: there is no such key"),
        ("more.schemes=[{int8: {}, float16: {}}]", "more.schemes.0: must name one of float32"),
        ("more.schemes=[int8, int8]", "more.schemes: names a scheme twice: int8, int8"),
        (
            "more.schemes=[int8, {int8: {file_steps: []}}]",
            "more.schemes: names a scheme twice: int8, int8",
        ),
        ("half={steps: [{distil: {shrink: 3}}]}", "half.steps.distil.shrink: 3 does not divide"),
        ("half={steps: [{distil: {backbone: vgg16}}]}", "half.steps.distil.backbone: vgg16 takes"),
        ("half={steps: [length]}", "half.steps: length is a step for the task text"),
        ("more.schemes=[]", "more.schemes: names no scheme, and no other variant is made of more"),
        ("dense={steps: [prune]}", "dense: dense is the model that train makes; give another name"),
        ("pruned={steps: [prune]}", "pruned: pruned is the model that the section prune makes"),
        ("Half={steps: [prune]}", "Half: a variant's id has small letters"),
        ("half-={steps: [prune]}", "half-: a variant's id has small letters"),
        (f"{'x' * 41}={{steps: [prune]}}", "has 40 characters at most"),
        ("half={parent: dense}", "half.steps: is required"),
        ("half={step: [prune]}", "half.step: there is no such key; did you mean steps?"),
    ],
)
def test_what_is_wrong_with_a_ladder_is_refused_by_its_key(
    override: str, message: str, path: str
) -> None:
    with pytest.raises(UserError) as refused:
        load_recipe(path, [f"compress.variants.{override}"])
    assert message in str(refused.value)
    assert "\n  compress.variants." in str(refused.value)


FROZEN = """
name: mine
data: {sample: digits, image_size: 32}
train: {backbone: mobilenet_v2, weights: imagenet}
"""
PRUNES = "compress.variants.half={steps: [prune]}"


@pytest.mark.parametrize("section", [("prune={}", "pruned"), (PRUNES, "half")])
def test_pruning_what_is_frozen_is_refused(section: tuple[str, str], tmp_path: Path) -> None:
    file, (override, variant) = tmp_path / "recipe.yaml", section
    file.write_text(FROZEN)
    with pytest.raises(UserError) as refused:
        load_recipe(str(file), [override])
    assert "\n  train.unfreeze: only layers that are trained are pruned" in str(refused.value)
    assert f"leave out the variant {variant}" in str(refused.value)
    load_recipe(str(file), [override, "train.unfreeze={epochs: 1}"])
    load_recipe(str(file), [override, "train.weights=none"])


def test_a_student_of_a_frozen_model_may_be_pruned(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(FROZEN)
    small = "compress.variants.small={steps: [{distil: {width: 0.5, epochs: 1}}]}"
    of_it = "compress.variants.half={parent: small, steps: [prune]}"
    assert len(load_recipe(str(file), [small, of_it]).variants()) == 3


def test_a_baseline_that_is_stated_again_under_its_own_name_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"quantize\.schemes: two candidates are called float32;"):
        load_recipe(path, ["quantize.schemes=[{float32: {file_steps: []}}]"])


def test_without_the_section_prune_its_name_is_free(path: str) -> None:
    changes = ["prune=null", "compress.variants.pruned={steps: [prune]}"]
    assert "pruned-float16" in load_recipe(path, changes).candidate_ids()


def test_a_long_ladder_says_how_many_test_pictures_prove_all_of_it_and_one(tmp_path: Path) -> None:
    """All candidates are proven together, which takes more than one does, but not absurdly more."""
    rungs = ", ".join(f"rung-{number}: {{steps: [prune], schemes: [int8]}}" for number in range(59))
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "name: mine\ndata: {sample: digits, image_size: 16, channels: 1}\n"
        f"train: {{backbone: small_cnn}}\ncompress: {{variants: {{{rungs}}}}}\n"
        "quantize: {schemes: [float32, int8]}\nbudgets: {accuracy_drop: 0.02}\n"
    )
    recipe = load_recipe(str(file))
    needed = recipe.required_test_examples()
    alone = recipe.required_test_examples(candidates=2)
    assert len(recipe.candidate_ids()) == 61
    assert 2 * alone < needed < 4 * alone
    with pytest.raises(UserError) as refused:
        check_sufficiency(load_recipe(str(file), ["budgets.accuracy_drop=0.01"]))
    assert "among 61 candidates takes at least" in str(refused.value)
    assert "fewer candidates (" in str(refused.value)
    assert "examples prove one beside float32)" in str(refused.value)
