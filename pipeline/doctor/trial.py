"""Tries a recipe's model and compression on a handful of made-up examples.

Called by the doctor as `python -P -m pipeline.doctor.trial FOLDER`, in a process of its own: it
runs the real components, one after the other, on the recipe in FOLDER with random weights
and one short epoch. What became of each task is in its result in the run's folder.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl

from components.candidate.component import candidate
from components.common.documents.dataset import Split
from components.common.tasks.trial import trial_of
from components.compress.component import compress
from components.finetune.component import finetune
from components.preprocess.component import preprocess
from pipeline.doctor.trial_recipe import EXAMPLES_FILE, RECIPE_FILE, trial_context
from pipeline.recipe import Recipe

_EXAMPLES: Mapping[Split, int] = {"train": 8, "validation": 4, "test": 4}
"""Of each of two classes."""


def main() -> None:
    folder = Path(sys.argv[1])
    recipe = Recipe.of(json.loads((folder / RECIPE_FILE).read_bytes()))
    trial_of(recipe.task).draw_examples(folder / EXAMPLES_FILE, _EXAMPLES, like=recipe.data)
    configs = {name: config.to_json() for name, config in recipe.stage_configs().items()}
    context = trial_context(folder).to_json()

    def made(name: str) -> dsl.Artifact:
        return dsl.Artifact(name=name, uri=str(folder / name))

    def run(component: Any, output: str, *, name: str = "", **inputs: Any) -> dsl.Artifact:
        artifact, config = made(f"{output}{name}"), configs[component.name]
        component.python_func(config=config, context=context, **{output: artifact}, **inputs)
        return artifact

    dataset = run(preprocess, "dataset")
    models = run(finetune, "models", dataset=dataset)
    for variant_id, _ in recipe.compressions():
        given = {"dataset": dataset, "models": models, "variant_id": variant_id}
        models = run(compress, "compressed", name=variant_id, **given)
    for id_ in recipe.candidate_ids():
        candidate.python_func(
            dataset=dataset,
            candidate_id=id_,
            quantize_config=configs["quantize"],
            evaluate_config=configs["evaluate"],
            context=context,
            candidate=made(f"candidate{id_}"),
            evaluation=made(f"evaluation{id_}"),
            metrics=dsl.Metrics(name="metrics", uri=""),
            confusion=dsl.ClassificationMetrics(name="confusion", uri=""),
            models=models,
        )


if __name__ == "__main__":
    main()
