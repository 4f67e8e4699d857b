"""A recipe of one's own: a shipped one, with its comments, under another name."""

import re
from pathlib import Path

from components.common.errors import UserError
from pipeline.recipe.loading import SHIPPED, load_recipe, shipped_recipes
from pipeline.recipe.recipe import NAME_PATTERN


def copy_recipe(name: str, *, source: str, folder: Path) -> Path:
    """Writes a shipped recipe into a folder, as NAME.yaml and with that name within.

    Args:
      name: of the new recipe, and so of its model.
      source: the shipped recipe.
      folder: where the file goes.

    Returns:
      The file.

    Raises:
      UserError: the name is none, no such recipe is shipped, or the file is there already.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UserError(
            f"{name}: a recipe's name has small letters, digits and hyphens, begins with a "
            "letter, and has 63 characters at most, such as flowers-2"
        )
    if source not in shipped_recipes():
        raise UserError(
            f"--from {source}: no such recipe is shipped (shipped: {', '.join(shipped_recipes())});"
            " a file of your own you can copy as it is"
        )
    path = folder / f"{name}.yaml"
    text = (SHIPPED / f"{source}.yaml").read_text(encoding="utf-8")
    text = re.sub(rf"^name: {source}$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    text = text.replace(f"litesmith run {source}", f"litesmith run {path.name}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path.name}: is there already; choose another name") from error
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror})") from error
    return path


def next_command(path: Path) -> str:
    """Returns the command that comes after a copy: one that says what is still open."""
    recipe = load_recipe(str(path), locations="open")
    return f"litesmith run {path.name}" + (
        "" if recipe.data.has_source() else " --set data.folder=PATH"
    )
