"""What the doctor runs of a recipe in a folder of its own, and how the results are named there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from components.common.config import Section
from components.common.run_context import RunContext
from components.compress.steps import STEPS
from components.preprocess.config import PreprocessConfig
from components.propose.config import ProposeConfig
from components.quantize.config import QuantizeConfig
from pipeline.recipe import Recipe
from pipeline.recipe.ladder import DeclaredStep, DeclaredVariant, Ladder
from pipeline.recipe.searching import widen

S = TypeVar("S", bound=Section)

RECIPE_FILE = "recipe.json"
EXAMPLES_FILE = "examples.csv"
DATASET, VALIDATION = "dataset", "validation"

_LEVELS = {"tokens": 2}
"""Fewer than any model sees."""


def trial_recipe(recipe: Recipe, folder: Path) -> Recipe:
    """Returns a recipe that asks for the same model and candidates, on little work.

    In place of a search, it declares a variant of each step that the search may take.
    """
    ladder, train = _ladder(recipe).with_settings(_shortened), recipe.train.for_trial()
    data = _long_enough(recipe.data, ladder).model_copy(
        update={"folder": None, "sample": None, "list": str(folder / EXAMPLES_FILE)}
    )
    return recipe.model_copy(
        update={
            "data": data,
            "train": train,
            "prune": recipe.prune and _shortened(recipe.prune),
            "compress": ladder,
            "quantize": _quantize(recipe).model_copy(update={"calibration_examples": 10}),
            "evaluate": recipe.evaluate.model_copy(update={"bootstrap_resamples": 100}),
        }
    )


def _ladder(recipe: Recipe) -> Ladder:
    told = recipe.stage_configs()["propose"]
    if recipe.compress.search is None or not isinstance(told, ProposeConfig):
        return recipe.compress
    schemes = recipe.quantize.compressed_schemes
    variants = {
        kind: DeclaredVariant(
            steps=(DeclaredStep.model_validate({kind: _any_level(kind, settings)}),),
            schemes=schemes,
        )
        for kind, settings in told.steps.items()
    }
    return Ladder(variants=variants)


def _any_level(kind: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what a step is told that a search tells by what the model is."""
    own = STEPS[kind].Settings.model_fields
    return {**settings, **{name: level for name, level in _LEVELS.items() if name in own}}


def _long_enough(data: PreprocessConfig, ladder: Ladder) -> PreprocessConfig:
    """Returns how examples are made, with so many tokens that every step has some to cut.

    Made-up texts say nothing of how long the recipe's are.
    """
    steps = (step for variant in ladder.variants.values() for step in variant.steps)
    left = [int(getattr(step.settings, "tokens", 0)) for step in steps]
    if data.text is None or data.text.length != "auto" or not any(left):
        return data
    text = data.text.model_copy(update={"length": max(left) + 1})
    return data.model_copy(update={"text": text})


def _quantize(recipe: Recipe) -> QuantizeConfig:
    """Returns the schemes with the steps on files that a search would add."""
    if recipe.compress.search is None:
        return recipe.quantize
    return widen(recipe.quantize, recipe.budgets.objective)


def _shortened(settings: S) -> S:
    """Returns a compression step's settings for little work, as far as it has such settings."""
    short = {"epochs": 2, "frequency": 1, "global_batch_size": 4, "weights": "none"}
    own = type(settings).model_fields
    return settings.model_copy(update={key: short[key] for key in short if key in own})


def trial_context(folder: Path) -> RunContext:
    return RunContext(
        run_id="trial",
        recipe_name="trial",
        data_root=str(folder / "data"),
        registry=str(folder / "registry"),
    )
