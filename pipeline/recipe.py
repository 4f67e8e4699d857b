"""Recipe: what is computed, typed and validated, from one YAML file.

A recipe's sections are the stages' own configurations, so that each value is described
and checked in one place. This module adds what no single stage can check: combinations.
"""

import difflib
import json
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from components.benchmark.config import BenchmarkConfig
from components.common.config import StageConfig
from components.common.errors import UserError
from components.common.statistics import required_examples
from components.evaluate.config import EvaluateConfig
from components.finetune.config import BACKBONE_LIMITS, FinetuneConfig
from components.gate.config import GateConfig
from components.notify.config import NotifyConfig
from components.preprocess.config import PreprocessConfig
from components.prune.config import PruneConfig
from components.publish.config import PublishConfig
from components.quantize.config import QuantizeConfig
from components.report.config import ReportConfig
from components.validate.config import ValidateConfig
from pipeline.recipe_yaml import parse_yaml

SHIPPED = Path(__file__).with_name("recipes")
LOCATIONS = (("data", "folder"), ("data", "list"), ("train", "weights"))
"""The keys that hold a path or an address."""
SOURCES = ("folder", "list", "sample")
"""The keys of `data` of which a recipe gives one."""
WORDS_FOR_WEIGHTS = ("imagenet", "none")
"""Values of train.weights that are no location."""


class Recipe(BaseModel):
    """A labelled data set, how to train and compress on it, and the budgets to meet."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    """Also the model's name in the registry."""
    description: str = ""
    data: PreprocessConfig
    validation: ValidateConfig = Field(default=ValidateConfig(), alias="validate")
    train: FinetuneConfig
    prune: PruneConfig | None = None
    quantize: QuantizeConfig = QuantizeConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    benchmark: BenchmarkConfig = BenchmarkConfig()
    budgets: GateConfig = GateConfig()
    report: ReportConfig = ReportConfig()
    notify: NotifyConfig = NotifyConfig()

    @field_validator("prune")
    @classmethod
    def _learns_as_training_does(
        cls, prune: PruneConfig | None, info: ValidationInfo
    ) -> PruneConfig | None:
        train = info.data.get("train")
        if prune is None or train is None:
            return prune
        missing = PruneConfig.LEARNED_ALIKE - prune.model_fields_set
        return prune.model_copy(update={name: getattr(train, name) for name in missing})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        limits = BACKBONE_LIMITS[self.train.backbone]
        if self.data.image_size < limits.min_image_size:
            raise ValueError(
                f"data.image_size: {self.data.image_size} is too small for the backbone "
                f"{self.train.backbone}, which takes {limits.min_image_size} or more"
            )
        if self.data.channels not in limits.channels:
            raise ValueError(
                f"data.channels: {self.data.channels} does not fit the backbone "
                f"{self.train.backbone}, which takes {' or '.join(map(str, limits.channels))}"
            )
        if self.train.weights == "imagenet" and not limits.imagenet:
            raise ValueError(
                f"train.weights: there are no imagenet weights for the backbone "
                f"{self.train.backbone}; use none or a weights file"
            )
        if self.train.weights == "none" and self.train.unfreeze is not None:
            raise ValueError(
                "train.unfreeze: a backbone without pretrained weights is trained whole from "
                "the first epoch; remove unfreeze, or state train.weights"
            )
        return self

    def candidate_ids(self) -> tuple[str, ...]:
        return self.quantize.candidate_ids(pruned=self.prune is not None)

    def smallest_margin(self) -> float | None:
        """Returns the accuracy drop that takes the most examples to prove, if any is stated."""
        drops = (self.budgets.accuracy_drop, self.budgets.blessed_accuracy_drop)
        return min((drop for drop in drops if drop is not None), default=None)

    def required_test_examples(self) -> int:
        """Returns how many test examples the gate asks for, at most.

        Against float32 it judges all other candidates, against a blessed model all of them:
        each is a claim of its own, as in components.gate.trials.
        """
        drop, count = self.budgets.accuracy_drop, len(self.candidate_ids())
        if drop is None:
            return 1
        claims = ((drop, count - 1), (self.budgets.blessed_accuracy_drop or drop, count))
        return max(
            required_examples(margin=margin, alpha=(1 - self.budgets.confidence) / rivals)
            for margin, rivals in claims
            if rivals
        )

    def stage_configs(self) -> Mapping[str, StageConfig]:
        """Returns each component's configuration by its name, with what stages share filled in."""
        needed = max(self.validation.min_test_examples, self.required_test_examples())
        return {
            "preprocess": self.data,
            "validate": self.validation.model_copy(
                update={"min_test_examples": needed, "model_name": self.name}
            ),
            "finetune": self.train,
            "prune": self.prune or PruneConfig(),
            "quantize": self.quantize,
            "evaluate": self.evaluate,
            "benchmark": self.benchmark,
            "gate": self.budgets.model_copy(update={"model_name": self.name}),
            "report": self.report.model_copy(update={"recipe": self.to_yaml()}),
            "publish": PublishConfig(model_name=self.name, description=self.description),
            "notify": self.notify,
        }

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Reads what `to_yaml` returned."""
        return cls.model_validate_json(json.dumps(parse_yaml(text)))

    def to_yaml(self) -> str:
        """Returns the whole recipe, defaults included, as YAML."""
        values = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def load_recipe(
    name_or_path: str,
    overrides: Sequence[str] = (),
    *,
    tiny: bool = False,
    locations_exist: bool = True,
) -> Recipe:
    """Reads and validates a recipe.

    Args:
      name_or_path: the name of a shipped recipe, or a file.
      overrides: `section.key=value`, the value in YAML.
      tiny: take the recipe's own small variant, its `tiny` section of overrides.
      locations_exist: whether paths must be there; a run elsewhere may find them there alone.

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
    if tiny:
        if not isinstance(variant, dict):
            raise UserError(f"{path}: the recipe has no tiny variant (a `tiny:` mapping)")
        values = _overlay(values, variant)
    values = _locate(values, path.parent)
    for override in overrides:
        values = _overlay(values, _locate(_parse_override(override), Path.cwd()))
    recipe = _validate(values, path)
    if locations_exist:
        _check_locations(recipe)
    return recipe


def has_tiny_variant(name_or_path: str) -> bool:
    return "tiny" in _read_yaml(recipe_path(name_or_path))


def shipped_recipes() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.yaml")))


def recipe_path(name_or_path: str) -> Path:
    """Finds a recipe file by a shipped recipe's name or by path."""
    shipped = SHIPPED / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if shipped.is_file() and not path.is_file():
        return shipped
    if not path.is_file():
        raise UserError(
            f"{name_or_path}: there is no such recipe file, and no shipped recipe of that name "
            f"(shipped: {', '.join(shipped_recipes())})"
        )
    return path


def recipe_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a recipe file, the `tiny` section included."""
    schema = Recipe.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["tiny"] = {
        "type": "object",
        "description": "Overrides for `--tiny`: the same sections, in part.",
    }
    return schema


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error})") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of sections, such as `data:` and `train:`")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not all(key.split(".")):
        raise UserError(f"--set {override}: expected section.key=value, such as train.epochs=3")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise UserError(f"--set {override}: the value is not valid YAML: {error}") from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _overlay(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merges changes; a data source among them takes the place of the one before."""
    data = changes.get("data")
    if isinstance(data, dict) and any(data.get(source) is not None for source in SOURCES):
        before = values.get("data")
        if isinstance(before, dict):
            kept = {key: value for key, value in before.items() if key not in SOURCES}
            values = {**values, "data": kept}
    return _merge(values, changes)


def _merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values with changes laid over them, mapping by mapping."""
    merged = dict(values)
    for key, change in changes.items():
        present = merged.get(key)
        if isinstance(present, dict) and isinstance(change, dict):
            merged[key] = _merge(present, change)
        else:
            merged[key] = change
    return merged


def _locate(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns values with local locations made absolute, relative ones below a folder."""
    located = dict(values)
    for section, key in LOCATIONS:
        inner = located.get(section)
        if not isinstance(inner, dict):
            continue
        location = inner.get(key)
        if isinstance(location, str) and _is_path(location):
            absolute = (folder / Path(location).expanduser()).resolve()
            located[section] = {**inner, key: str(absolute)}
    return located


def _is_path(location: str) -> bool:
    return location not in ("", *WORDS_FOR_WEIGHTS) and "://" not in location


def _check_locations(recipe: Recipe) -> None:
    for section, key in LOCATIONS:
        location = getattr(getattr(recipe, section), key)
        if location is None or (location and not _is_path(location)):
            continue
        kind, there = ("folder", Path.is_dir) if key == "folder" else ("file", Path.is_file)
        if not location or not there(Path(location)):
            raise UserError(
                f"{section}.{key}: there is no {kind} {location!r}; give its path, in the "
                f"recipe or by --set {section}.{key}=PATH"
            )


def _validate(values: Mapping[str, Any], path: Path) -> Recipe:
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError as error:
        raise UserError(f"{path}: a number is infinite or no number at all") from error
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors(include_url=False)]
        raise UserError(f"{path}: the recipe is refused\n" + "\n".join(lines)) from error


def _explain(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"  {key}: there is no such key; {_suggest(problem['loc'])}"
    if problem["type"] == "missing":
        return f"  {key}: is required"
    message = problem["msg"].removeprefix("Value error, ")
    message = re.sub(r"^\w+ should ", "must ", message)
    if not key:
        return f"  {message}"
    value = problem["input"]
    shown = "" if isinstance(value, dict) else f" (got {json.dumps(value, default=repr)})"
    return f"  {key}: {message}{shown}"


def _suggest(location: tuple[str | int, ...]) -> str:
    """Says which key was meant, or which there are beside an unknown one."""
    names = sorted(_keys(Recipe, location[:-1]))
    alike = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"did you mean {alike[0]}?" if alike else f"there are {', '.join(names)}"


def _keys(model: type[BaseModel], location: tuple[str | int, ...]) -> Iterator[str]:
    """Yields the keys that a model takes at a location below it."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if not location:
        yield from fields
        return
    annotation = fields[str(location[0])].annotation
    for option in (annotation, *typing.get_args(annotation)):  # Args: of `Section | None`.
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield from _keys(option, location[1:])
