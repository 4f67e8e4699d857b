"""The JSON Schema of recipe files: what a user may state."""

from collections.abc import Iterator
from typing import Any

from components.common.config import StageConfig
from pipeline.declarations.refusals import section_classes
from pipeline.recipe.recipe import PictureRecipe


def recipe_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a recipe file, the `tiny` section included."""
    schema = PictureRecipe.model_json_schema(by_alias=True)
    for section, key in filled_in():
        stated = schema["properties"][section]["$ref"].rpartition("/")[2]
        del schema["$defs"][stated]["properties"][key]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["tiny"] = {
        "type": "object",
        "description": "Overrides for `--tiny`: the same sections, in part.",
    }
    return schema


def filled_in() -> Iterator[tuple[str, str]]:
    """Yields section and key of each value that is no user's to state."""
    for name, field in PictureRecipe.model_fields.items():
        for section in section_classes(field.annotation):
            if issubclass(section, StageConfig):
                yield from ((field.alias or name, key) for key in sorted(section.filled_in))
