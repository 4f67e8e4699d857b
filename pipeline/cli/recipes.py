"""The commands that look at recipes, and copy them: show, validate, new, schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

from components.common.words.terminal import say
from pipeline.cli.options import SHIPPED_NAMES, RecipeArgument, SetOption, TinyOption

recipe_app = typer.Typer(help="Look at recipes: what a run computes.", no_args_is_help=True)


@recipe_app.command("show")
def recipe_show(
    recipe: RecipeArgument,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
) -> None:
    """Print the whole recipe, defaults included, as YAML; a comment says what each value means."""
    from pipeline.recipe import load_recipe
    from pipeline.recipe.text import write_commented

    loaded = load_recipe(recipe, overrides, tiny=tiny, locations="open")
    say(write_commented(loaded), end="")


@recipe_app.command("validate")
def recipe_validate(
    recipe: RecipeArgument,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
) -> None:
    """Check a recipe, and whether its data can prove its budgets, without running it."""
    from components.common.tasks.sources import sources_of
    from pipeline.recipe import check_locations, load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency, enough_records

    loaded = load_recipe(recipe, overrides, tiny=tiny, locations="open")
    check_locations(loaded)
    check_sufficiency(loaded)
    what = f"{len(loaded.candidate_ids())} candidates"
    if rounds := loaded.search_rounds():
        what = f"a search of {rounds} rounds; {loaded.most_proven()} candidates are proven at most"
    say(f"{loaded.name}: fine; {what}")
    if loaded.most_proven() > 2 and loaded.smallest_margin() is not None:
        say(
            f"To prove them together takes at least {loaded.required_test_examples()} test "
            f"examples; one beside float32 {loaded.required_test_examples(candidates=2)}."
        )
    if not loaded.data.has_source():
        examples = sources_of(loaded.task).EXAMPLES
        say(f"A run is to be told where the {examples} are: --set data.folder=PATH, or data.list")
        if loaded.smallest_margin() is not None:
            say(f"The budgets take some {enough_records(loaded)} {examples} to prove.")


@recipe_app.command("new")
def recipe_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the recipe and its model.")],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="RECIPE", help=f"The shipped recipe to copy: {SHIPPED_NAMES}."
        ),
    ] = "folder",
) -> None:
    """Copy a shipped recipe, with its comments, to NAME.yaml in the working folder."""
    from pipeline.recipe.new import copy_recipe, next_command

    path = copy_recipe(name, source=source, folder=Path.cwd())
    say(f"{path.name} is written; edit it, then: {next_command(path)}")


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON Schema of recipe files, for an editor to check them by."""
    from pipeline.recipe import recipe_schema as schema

    say(json.dumps(schema(), indent=2))
