"""Recipe: what is computed.

A recipe is one YAML file whose sections are the stages' own configurations. It bears identity:
where it runs is the target's. `recipe` is the value and its checks, `ladder` the variants that it
declares, `searching` what it tells a search, `loading` the way from a file and `--set` to it,
`schema` and `text` what users read of it, `sufficiency` the look whether its data can prove its
budgets, `parameters` what of it a run on a cluster is given. The shipped recipes lie in `recipes/`.
"""

from pipeline.recipe.loading import (
    SHIPPED,
    check_locations,
    load_recipe,
    shipped_recipes,
    stated_locations,
    with_location,
)
from pipeline.recipe.recipe import NAME_PATTERN, Compression, Recipe
from pipeline.recipe.schema import recipe_schema

__all__ = [
    "NAME_PATTERN",
    "SHIPPED",
    "Compression",
    "Recipe",
    "check_locations",
    "load_recipe",
    "recipe_schema",
    "shipped_recipes",
    "stated_locations",
    "with_location",
]
