"""From a file and overrides to a recipe.

A recipe's file, its `tiny` section and each `--set` are mappings, laid one over another; then
the whole is validated. Locations are made absolute on the way, each relative to where it was
stated: a file's to the file, an override's to the working folder.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from components.common.config import Section
from components.common.documents.data_schema import DataSchema
from components.common.errors import UserError
from components.common.tasks.sources import sources_of
from components.common.tasks.text.weights import PACKAGED
from components.preprocess.config import SOURCES
from pipeline.declarations.placeholders import refuse_placeholders
from pipeline.declarations.refusals import explain_problems
from pipeline.declarations.yaml_files import parse_yaml, read_yaml
from pipeline.recipe.recipe import Recipe, kind_of

SHIPPED = Path(__file__).with_name("recipes")

_LOCATIONS = (
    ("data", "folder"),
    ("data", "list"),
    ("data", "source.path"),
    ("train", "weights"),
    ("train", "encoder"),
)
"""The keys that hold a path or an address."""

_SCHEMA = "validate", "data_schema"
"""The key that may hold the path of a file, whose content takes its place."""

_KINDS: Mapping[str, tuple[str, Callable[[Path], bool]]] = {
    "folder": ("folder", Path.is_dir),
    "encoder": ("folder", Path.is_dir),
    "source.path": ("folder or file", Path.exists),
}
"""What lies at a key's location, and how that is seen; files, where nothing is said."""

_WORDS_FOR_WEIGHTS = ("imagenet", "none", *PACKAGED)
"""Values of train.weights and train.encoder that are no location."""

Locations = Literal["here", "elsewhere", "open"]
"""What is asked of a recipe's locations: that they are on this machine; that they are given,
for a run elsewhere may find them there alone; or nothing, to look at the recipe."""


def load_recipe(
    name_or_path: str,
    overrides: Sequence[str] = (),
    *,
    tiny: bool = False,
    locations: Locations = "here",
) -> Recipe:
    """Reads and validates a recipe.

    Args:
      name_or_path: the name of a shipped recipe, or a file.
      overrides: `section.key=value`, the value in YAML; an entry of a list is called by its
        place, from 0 on.
      tiny: take the recipe's own small variant, its `tiny` section of overrides.
      locations: what is asked of them, see Locations.

    Returns:
      The recipe, with absolute locations: a path in a recipe is relative to its file, one
      in an override to the working folder.

    Raises:
      UserError: the file is missing or no YAML, or a key or value is refused; names each
        key path, the value, and what is allowed.
    """
    path = recipe_path(name_or_path)
    values = _read_yaml(path)
    variant = values.pop("tiny", None)
    values = _locate(values, path.parent)
    if tiny:
        if not isinstance(variant, dict):
            raise UserError(f"{path}: the recipe has no tiny variant (a `tiny:` mapping)")
        values = _overlay(values, _locate(variant, path.parent))
    changes = [_locate(_parse_override(override), Path.cwd()) for override in overrides]
    _refuse_two_sources(changes)
    for change in changes:
        values = _overlay(values, change)
    values = _with_schema(values)
    source = " ".join([name_or_path, *(f"--set {override}" for override in overrides)])
    refuse_placeholders(values, source=source)
    _refuse_filled_in(values, source)
    recipe = _validate(values, source)
    if locations != "open" and not recipe.data.has_source():
        raise UserError(
            f"{source}: the recipe leaves open where the {sources_of(recipe.task).EXAMPLES} are: "
            f"give exactly one of {', '.join(SOURCES)}, such as --set data.folder=PATH, which has "
            "one sub-folder per class"
        )
    if locations == "here":
        check_locations(recipe)
    return recipe


def shipped_recipes() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.yaml")))


def recipe_path(name_or_path: str) -> Path:
    """Finds a recipe file by a shipped recipe's name or by path."""
    shipped = SHIPPED / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if shipped.is_file() and not path.is_file():
        return shipped
    if path.is_dir():
        raise UserError(
            f"{name_or_path}: is a folder, not a recipe; to train on its pictures: "
            f"litesmith run folder --set data.folder={name_or_path}"
        )
    if not path.is_file():
        raise UserError(
            f"{name_or_path}: there is no such recipe file, and no shipped recipe of that name "
            f"(shipped: {', '.join(shipped_recipes())})"
        )
    return path


def _read_yaml(path: Path, *, sections: str = "`data:` and `train:`") -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of sections, such as {sections}")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not all(key.split(".")):
        raise UserError(f"--set {override}: expected section.key=value, such as train.epochs=3")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise UserError(f"--set {override}: can't be read as YAML: {error}") from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _refuse_two_sources(changes: Iterable[Mapping[str, Any]]) -> None:
    """Refuses overrides of which one would take the place of another without a word."""
    merged: dict[str, Any] = {}
    for change in changes:
        merged = _merge(merged, change)
    data = merged.get("data")
    given = data if isinstance(data, dict) else {}
    stated = [f"--set data.{name}={given[name]}" for name in SOURCES if given.get(name) is not None]
    if len(stated) > 1:
        raise UserError(f"{' and '.join(stated)}: give one of them, for a run has one source")


def _overlay(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merges changes, among which a data source, or a search, takes the place of what was there."""
    given = [_given(changes, "data", source) for source in SOURCES]
    # A source of no kind changes what is said of the one there is.
    if any(each is not None and (not isinstance(each, dict) or "kind" in each) for each in given):
        values = _without(values, "data", (*SOURCES, "columns"))
    if _given(changes, "compress", "search") is not None:
        values = _without({**values, "prune": None}, "compress", ("variants",))
    if isinstance(_given(changes, *_SCHEMA), dict):
        values = _with_schema(values)
    return _merge(values, changes)


def _with_schema(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values with what a schema's file holds in the place of its path."""
    location = _given(values, *_SCHEMA)
    if not isinstance(location, str):
        return dict(values)
    if not _is_path(location):
        raise UserError(
            f"{'.'.join(_SCHEMA)}: expected the path of a file on this machine, for its content "
            f"travels with the run (got {location!r})"
        )
    path = Path(location)
    if not path.is_file():
        raise UserError(
            f"{'.'.join(_SCHEMA)}: there is no file {location!r}; `litesmith data inspect SOURCE "
            "--schema` infers one, for you to look over"
        )
    stated = _read_yaml(path, sections="`classes:` and `ranges:`")
    try:
        DataSchema.model_validate_json(json.dumps(stated))
    except ValidationError as error:
        lines = explain_problems(error, DataSchema)
        raise UserError(f"{path}: the schema is refused\n{lines}") from error
    section, key = _SCHEMA
    return {**values, section: {**values[section], key: stated}}


def _given(values: Mapping[str, Any], section: str, key: str) -> Any:
    inner = values.get(section)
    return inner.get(key) if isinstance(inner, dict) else None


def _without(values: Mapping[str, Any], section: str, keys: Sequence[str]) -> Mapping[str, Any]:
    inner = values.get(section)
    if not isinstance(inner, dict):
        return values
    return {**values, section: {key: inner[key] for key in inner if key not in keys}}


def _merge(
    values: Mapping[str, Any], changes: Mapping[str, Any], above: str = ""
) -> dict[str, Any]:
    """Returns values with changes laid over them, mapping by mapping.

    Entries of a list are changed by their places: `{0: ...}`.
    """
    merged = dict(values)
    for key, change in changes.items():
        present, path = merged.get(key), f"{above}{key}."
        if isinstance(present, dict) and isinstance(change, dict):
            merged[key] = _merge(present, change, path)
        elif isinstance(present, list) and change and _gives_places(change):
            merged[key] = _merge_entries(present, change, path)
        else:
            merged[key] = change
    return merged


def _gives_places(change: Any) -> bool:
    return isinstance(change, dict) and all(map(str.isdecimal, change))


def _merge_entries(present: list[Any], changes: Mapping[str, Any], above: str) -> list[Any]:
    places = {str(place): entry for place, entry in enumerate(present)}
    for place in changes:
        if place not in places:
            raise UserError(
                f"{above}{place}: there is no such entry; the list has {len(present)}, counted "
                "from 0"
            )
    return list(_merge(places, changes, above).values())


def _locate(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns values with local locations made absolute, relative ones below a folder."""
    located = dict(values)
    for section, key in (*_LOCATIONS, _SCHEMA):
        *above, last = (section, *key.split("."))
        inner: Any = located
        for name in above:
            inner = inner.get(name) if isinstance(inner, dict) else None
        location = inner.get(last) if isinstance(inner, dict) else None
        if isinstance(location, str) and _is_path(location):
            changed: Any = str((folder / Path(location).expanduser()).resolve())
            for name in reversed((*above, last)):
                changed = {name: changed}
            located = _merge(located, changed)
    return located


def _is_path(location: str) -> bool:
    return location not in ("", *_WORDS_FOR_WEIGHTS) and "://" not in location


def stated_locations(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Yields section, key and value of each path or address that a recipe states."""
    for section, key in _LOCATIONS:
        location = getattr(recipe, section)
        for name in key.split("."):
            location = getattr(location, name, None)  # Not every task has every key.
        if location is not None and location not in _WORDS_FOR_WEIGHTS:
            yield section, key, location


def with_location(section: Section, key: str, location: str) -> Section:
    """Returns a section with another path or address under a key that `stated_locations` named."""
    name, _, below = key.partition(".")
    value = with_location(getattr(section, name), below, location) if below else location
    return section.model_copy(update={name: value})


def check_locations(recipe: Recipe) -> None:
    """Refuses a recipe whose paths lead nowhere on this machine.

    Raises:
      UserError: names the key and the path.
    """
    for section, key, location in stated_locations(recipe):
        if "://" in location:
            continue
        kind, there = _KINDS.get(key, ("file", Path.is_file))
        if not location or not there(Path(location)):
            if key == "folder" and Path(location).is_file():
                raise UserError(
                    f"{section}.{key}: {location!r} is a file, where a folder is expected; unpack "
                    "an archive, give the folder that a container lies in, or a list (.csv, .tsv, "
                    ".jsonl or .parquet) as data.list"
                )
            raise UserError(
                f"{section}.{key}: there is no {kind} {location!r}; give its path, in the "
                f"recipe or by --set {section}.{key}=PATH"
            )


def _refuse_filled_in(values: Mapping[str, Any], source: str) -> None:
    for section, keys in kind_of(values).filled_in().items():
        stated = values.get(section)
        for key in sorted(keys & stated.keys()) if isinstance(stated, dict) else ():
            raise UserError(
                f"{source}: the recipe is refused\n"
                f"  {section}.{key}: is filled in from the rest of the recipe; remove it"
            )


def _validate(values: Mapping[str, Any], source: str) -> Recipe:
    try:
        return Recipe.of(values)
    except ValidationError as error:
        lines = explain_problems(error, kind_of(values))
        raise UserError(f"{source}: the recipe is refused\n{lines}") from error
