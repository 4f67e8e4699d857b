"""Tries a recipe's model and compression on a handful of made-up pictures.

Called by the doctor as `python -P -m pipeline.doctor.trial FOLDER`, in a process of its own: it
runs the real components, one after the other, on the recipe in FOLDER with random weights
and one short epoch. What became of each task is in its result in the run's folder.
"""

import csv
import sys
from pathlib import Path
from typing import Any

from kfp import dsl
from PIL import Image

from components.candidate.component import candidate
from components.finetune.component import finetune
from components.preprocess.component import preprocess
from components.prune.component import prune
from pipeline.doctor.trial_recipe import PICTURES_FILE, RECIPE_FILE, trial_context
from pipeline.recipe import Recipe

_PICTURES = {"train": 8, "validation": 4, "test": 4}
"""Of each of two classes."""


def main() -> None:
    folder = Path(sys.argv[1])
    recipe = Recipe.model_validate_json((folder / RECIPE_FILE).read_bytes())
    _draw_pictures(folder, recipe)
    configs = {name: config.to_json() for name, config in recipe.stage_configs().items()}
    context = trial_context(folder).to_json()

    def made(name: str) -> dsl.Artifact:
        return dsl.Artifact(name=name, uri=str(folder / name))

    def run(component: Any, output: str, **inputs: Any) -> dsl.Artifact:
        artifact, config = made(output), configs[component.name]
        component.python_func(config=config, context=context, **{output: artifact}, **inputs)
        return artifact

    dataset = run(preprocess, "dataset")
    models = {"dense": run(finetune, "dense", dataset=dataset)}
    if recipe.prune is not None:
        models["pruned"] = run(prune, "pruned", dataset=dataset, **models)
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
            **models,
        )


def _draw_pictures(folder: Path, recipe: Recipe) -> None:
    """Writes noise in two classes, and the list that names it."""
    size = (recipe.data.image_size, recipe.data.image_size)
    with (folder / PICTURES_FILE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for split, count in _PICTURES.items():
            for number in range(2 * count):
                name = f"{split}{number}.png"
                Image.effect_noise(size, 64).convert("RGB").save(folder / name)
                rows.writerow([name, "ab"[number % 2], split])


if __name__ == "__main__":
    main()
