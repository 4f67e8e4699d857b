"""Looks at a recipe's data as preprocess and validate do, without decoding a picture.

Called by the doctor as `python -P -m pipeline.doctor.survey FOLDER REGISTRY`, in a process of
its own, on the recipe in FOLDER. What became of each of the two is in its result in the run's
folder.
"""

import json
import sys
from pathlib import Path

from kfp import dsl

from components.preprocess.component import survey
from components.validate.component import validate
from pipeline.doctor.trial_recipe import DATASET, RECIPE_FILE, VALIDATION, trial_context
from pipeline.recipe import Recipe

_OF_SHARDS = dict.fromkeys(("duplicates_across_splits", "parted_groups"), "ignore")
"""What only the examples show that decoding leaves."""


def main() -> None:
    folder, registry = Path(sys.argv[1]), sys.argv[2]
    recipe = Recipe.of(json.loads((folder / RECIPE_FILE).read_bytes()))
    configs = recipe.stage_configs()
    context = trial_context(folder).model_copy(update={"registry": registry}).to_json()
    survey(config=configs["preprocess"].to_json(), context=context, dataset=folder / DATASET)
    validate.python_func(
        dataset=dsl.Artifact(name=DATASET, uri=str(folder / DATASET)),
        config=configs["validate"].model_copy(update=_OF_SHARDS).to_json(),
        context=context,
        validation=dsl.Artifact(name=VALIDATION, uri=str(folder / VALIDATION)),
    )


if __name__ == "__main__":
    main()
