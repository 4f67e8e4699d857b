"""Recipe: what is computed, typed and validated, from one YAML file.

A recipe's sections are the stages' own configurations, so that each value is described
and checked in one place. This module adds what no single stage can check: combinations.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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

SHIPPED = Path(__file__).with_name("recipes")


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

    def required_test_examples(self) -> int:
        """Returns how many test examples the accuracy budget needs, at the very least."""
        margins = [
            margin
            for margin in (self.budgets.accuracy_drop, self.budgets.blessed_accuracy_drop)
            if margin is not None
        ]
        if not margins:
            return 1
        rivals = max(1, len(self.candidate_ids()) - 1)
        return required_examples(margin=min(margins), alpha=(1 - self.budgets.confidence) / rivals)

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

    def to_yaml(self) -> str:
        """Returns the whole recipe, defaults included, as YAML."""
        values = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def load_recipe(name_or_path: str, overrides: Sequence[str] = (), *, tiny: bool = False) -> Recipe:
    """Reads and validates a recipe.

    Args:
      name_or_path: the name of a shipped recipe, or a file. Paths in a recipe are
        relative to its file.
      overrides: `section.key=value`, the value in YAML.
      tiny: take the recipe's own small variant, its `tiny` section of overrides.

    Returns:
      The recipe, with absolute locations.

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
        values = _merge(values, variant)
    for override in overrides:
        values = _merge(values, _parse_override(override))
    recipe = _validate(values, path)
    return _resolve(recipe, path.parent)


def recipe_path(name_or_path: str) -> Path:
    """Finds a recipe file by a shipped recipe's name or by path."""
    shipped = SHIPPED / f"{name_or_path}.yaml"
    path = Path(name_or_path)
    if shipped.is_file() and not path.is_file():
        return shipped
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise UserError(
            f"{name_or_path}: there is no such recipe file, and no shipped recipe of that name "
            f"(shipped: {names})"
        )
    return path


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of sections, such as `data:` and `train:`")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not all(key.split(".")):
        raise UserError(f"--set {override}: expected section.key=value, such as train.epochs=3")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is not valid YAML: {error}") from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


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


def _validate(values: Mapping[str, Any], path: Path) -> Recipe:
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: a value is no string, number, list or mapping: {error}"
        ) from error
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors(include_url=False)]
        raise UserError(f"{path}: the recipe is refused\n" + "\n".join(lines)) from error


def _explain(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"  {key}: there is no such key; see `litesmith recipe schema`"
    if problem["type"] == "missing":
        return f"  {key}: is required"
    message = problem["msg"].removeprefix("Value error, ")
    if not key:
        return f"  {message}"
    shown = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
    return f"  {key}: {message}{shown}"


def _resolve(recipe: Recipe, folder: Path) -> Recipe:
    """Makes local locations absolute, and checks that they are there."""
    data = recipe.data.model_copy(
        update={name: _absolute(getattr(recipe.data, name), folder) for name in ("folder", "list")}
    )
    weights = recipe.train.weights
    if weights not in ("imagenet", "none"):
        weights = _absolute(weights, folder) or weights
    for key, location in (("data.folder", data.folder), ("data.list", data.list)):
        _check_exists(key, location)
    if weights not in ("imagenet", "none"):
        _check_exists("train.weights", weights)
    train = recipe.train.model_copy(update={"weights": weights})
    return recipe.model_copy(update={"data": data, "train": train})


def _absolute(location: str | None, folder: Path) -> str | None:
    if location is None or "://" in location:
        return location
    return str((folder / Path(location).expanduser()).resolve())


def _check_exists(key: str, location: str | None) -> None:
    if location is not None and "://" not in location and not Path(location).exists():
        raise UserError(f"{key}: {location} does not exist; give the path of your data")
