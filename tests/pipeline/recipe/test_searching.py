"""What a recipe's `compress.search` makes of the recipe."""

from pathlib import Path

import pytest

from components.common.errors import UserError
from components.propose.config import ProposeConfig
from components.validate.config import ValidateConfig
from pipeline.doctor.trial_recipe import trial_recipe
from pipeline.recipe import Recipe, load_recipe
from pipeline.stages import STAGES

SEARCH = ("compress.search={time_limit_s: 60}",)

SHORTENED = "compress.variants={short: {steps: [{length: {tokens: 12}}]}}"


def searching(*overrides: str, name: str = "digits") -> Recipe:
    return load_recipe(name, overrides=[*SEARCH, *overrides], locations="open")


def told(recipe: Recipe) -> ProposeConfig:
    config = recipe.stage_configs()["propose"]
    assert isinstance(config, ProposeConfig)
    return ProposeConfig.from_json(config.to_json())


def test_propose_is_told_budgets_candidates_and_what_steps_learn_alike() -> None:
    recipe = searching("train.label_smoothing=0.1", "budgets.objective=size_bytes")
    config = told(recipe)
    assert config.search is not None and config.search.time_limit_s == 60
    assert (config.budgets.accuracy_drop, config.budgets.objective) == (0.02, "size_bytes")
    assert config.steps["prune"]["label_smoothing"] == 0.1
    assert config.dense[0].id == "float32" and not config.dense[0].file_steps
    assert "float32" not in {one.id for one in config.compressed}
    assert recipe.candidate_ids() == tuple(one.id for one in config.dense)


def test_files_whose_bytes_count_share_what_is_equal_and_others_are_left() -> None:
    ids = {one.id for one in told(searching("quantize.schemes=[float32, int8]")).dense}
    assert {"float32", "int8-share"} <= ids and "int8" not in ids
    config = told(searching("budgets.objective=latency_ms", "quantize.schemes=[float32, int8]"))
    assert [one.id for one in config.dense] == ["float32", "int8"]


def test_steps_that_a_scheme_states_stay_alone() -> None:
    config = told(searching("quantize.schemes=[float32, {int8: {file_steps: []}}]"))
    assert [one.id for one in config.dense] == ["float32", "int8"]


def test_a_student_is_proposed_where_the_backbone_comes_in_widths() -> None:
    assert told(searching("train.width=0.5")).steps["distil"]["width"] == 0.5
    assert "distil" not in told(searching(name="emoji")).steps


def test_of_texts_the_steps_for_texts_are_proposed_and_learn_at_an_encoder_s_rate() -> None:
    config = told(searching(name="tweets"))
    assert config.task == "text" and set(config.steps) == {"prune", "vocabulary", "length"}
    rates = [config.steps[kind]["optimizer"]["learning_rate"] for kind in ("prune", "length")]
    assert rates == [5e-5, 5e-5] and "optimizer" not in config.steps["vocabulary"]
    assert "dynamic_range-snap6-share" in {one.id for one in config.dense}


@pytest.mark.parametrize("length", ["auto", 16])
def test_the_doctors_trial_of_texts_has_tokens_to_cut(length: str | int, tmp_path: Path) -> None:
    for recipe in (
        searching(f"data.text.length={length}", name="tweets"),
        load_recipe("tweets", [f"data.text.length={length}", SHORTENED], locations="open"),
    ):
        trial = trial_recipe(recipe, tmp_path)
        assert Recipe.from_yaml(trial.to_yaml()) == trial


def test_the_proof_is_of_the_finalists_however_many_are_tried() -> None:
    few = searching("compress.search.finalists=1")
    many = searching("compress.search.finalists=5")
    assert (few.most_proven(), many.most_proven()) == (2, 6)
    assert few.required_test_examples() < many.required_test_examples()


def test_the_tasks_that_are_known_ahead_are_the_rounds() -> None:
    recipe = searching("compress.search.rounds=2")
    tasks = {stage.name: recipe.tasks_of(stage) for stage in STAGES}
    assert tasks["propose"] == ("propose[1]", "propose[2]", "propose[3]")
    assert tasks["compress"] == tasks["quantize"] == tasks["evaluate"] == ()


@pytest.mark.parametrize("name", ["digits", "emoji", "tweets"])
def test_a_search_takes_the_place_of_what_the_recipe_declares(name: str) -> None:
    asked = "compress.search.time_limit_s=60"
    recipe = load_recipe(name, overrides=[asked], locations="open")
    assert recipe.search_rounds() == 8
    assert {variant for variant, _ in recipe.compressions()} == set()
    with pytest.raises(UserError, match="remove prune, or the search"):
        load_recipe(name, overrides=[asked, "prune.epochs=3"], locations="open")


def test_file_steps_that_are_stated_are_tried_once() -> None:
    stated = "{int8: {file_steps: [{snap: {bits: 6}}, share]}}"
    recipe = searching(f"quantize.schemes=[float32, int8, {stated}]")
    ids = [candidate.id for candidate in told(recipe).dense]
    assert ids.count("int8-snap6-share") == 1


@pytest.mark.parametrize("name", ["digits", "emoji", "tweets"])
def test_the_doctors_trial_of_a_search_tries_each_step_that_it_may_take(
    name: str, tmp_path: Path
) -> None:
    recipe = searching(name=name)
    trial = trial_recipe(recipe, tmp_path)
    assert trial.search_rounds() == 0
    tried = dict(trial.compressions())
    assert tried == {kind: (kind,) for kind in told(recipe).steps}
    steps = [step for variant in trial.variants() for step in variant.steps]
    assert {step.settings["epochs"] for step in steps if step.kind != "vocabulary"} == {2}
    ids = {*trial.candidate_ids()}
    assert ids > {*recipe.candidate_ids()}, "the dense model's, with the steps on their files"
    assert Recipe.from_yaml(trial.to_yaml()) == trial


@pytest.mark.parametrize(("drop", "expected"), [(0.02, 837), (0.03, 400)])
def test_validate_knows_how_many_examples_a_search_takes_to_rank_on(
    drop: float, expected: int
) -> None:
    recipe = searching(f"budgets.accuracy_drop={drop}")
    config = recipe.stage_configs()["validate"]
    assert isinstance(config, ValidateConfig) and config.examples_to_rank == expected
    plain = load_recipe("digits").stage_configs()["validate"]
    assert isinstance(plain, ValidateConfig) and plain.examples_to_rank == 0


def test_a_recipe_without_a_search_tells_propose_nothing() -> None:
    recipe = load_recipe("digits")
    assert told(recipe) == ProposeConfig()
    assert recipe.search_rounds() == 0


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["budgets.accuracy_drop=null"], ["compress.search", "budgets.accuracy_drop"]),
        (["prune={final_sparsity: 0.5}"], ["compress.search", "remove prune"]),
        (
            ["compress.variants={half: {steps: [prune]}}"],
            ["compress.search", "remove compress.variants"],
        ),
        (["compress.search.finalists=6"], ["compress.search.finalists", "5"]),
        (["compress.search.time_limit_s=0"], ["compress.search.time_limit_s", "0"]),
    ],
)
def test_what_a_search_can_not_do_is_refused(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        searching(*overrides)
    assert all(word in str(error.value) for word in words), str(error.value)
