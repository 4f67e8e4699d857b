"""What the doctor runs of a recipe in a folder of its own, and how the results are named there."""

from pathlib import Path

from components.common.run_context import RunContext
from pipeline.recipe import Recipe

RECIPE_FILE = "recipe.json"
EXAMPLES_FILE = "examples.csv"
DATASET, VALIDATION = "dataset", "validation"


def trial_recipe(recipe: Recipe, folder: Path) -> Recipe:
    """Returns a recipe that asks for the same model and candidates, on little work."""
    data = recipe.data.model_copy(
        update={"folder": None, "sample": None, "list": str(folder / EXAMPLES_FILE)}
    )
    train = recipe.train.model_copy(
        update={"weights": "none", "epochs": 1, "unfreeze": None, "global_batch_size": 4}
    )
    pruning = recipe.prune and recipe.prune.model_copy(
        update={"epochs": 2, "frequency": 1, "global_batch_size": 4}
    )
    return recipe.model_copy(
        update={
            "data": data,
            "train": train,
            "prune": pruning,
            "quantize": recipe.quantize.model_copy(update={"calibration_examples": 10}),
            "evaluate": recipe.evaluate.model_copy(update={"bootstrap_resamples": 100}),
        }
    )


def trial_context(folder: Path) -> RunContext:
    return RunContext(
        run_id="trial",
        recipe_name="trial",
        data_root=str(folder / "data"),
        registry=str(folder / "registry"),
    )
