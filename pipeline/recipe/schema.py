"""The JSON Schema of recipe files: what a user may state."""

from typing import Any

from pipeline.recipe.recipe import RECIPES, Recipe


def recipe_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a recipe file: that of one task's recipes or of another's."""
    kinds = {kind.__name__: _schema_of(kind) for kind in RECIPES.values()}
    definitions: dict[str, Any] = {}
    for own in kinds.values():
        definitions |= own.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": definitions | kinds,
    }


def _schema_of(kind: type[Recipe]) -> dict[str, Any]:
    """Returns the JSON Schema of a task's recipes, the `tiny` section included.

    A section that has keys of another task, or such as are filled in, is described for this task.
    """
    schema = kind.model_json_schema(by_alias=True)
    properties, definitions = schema["properties"], schema["$defs"]
    for section, filled_in in kind.filled_in().items():
        hidden = filled_in | kind.foreign.get(section, frozenset())
        described = definitions.pop(properties[section]["$ref"].rpartition("/")[2])
        for stated in (described["properties"], properties[section].get("default", {})):
            for key in hidden & set(stated):
                del stated[key]
        name = f"{kind.__name__}_{section}"
        definitions[name], properties[section]["$ref"] = described, f"#/$defs/{name}"
    properties["tiny"] = {
        "type": "object",
        "description": "Overrides for `--tiny`: the same sections, in part.",
    }
    if kind.model_fields["task"].default != Recipe.model_fields["task"].default:
        schema["required"].append("task")
    return schema
