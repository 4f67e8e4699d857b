"""Recipe: what is computed, typed and validated, from one YAML file.

A recipe's sections are the stages' own configurations, so that each value is described
and checked in one place. This module adds what no single stage can check: combinations.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from components.benchmark.config import BenchmarkConfig
from components.common.config import Section, StageConfig
from components.common.errors import UserError
from components.common.statistics.exact_tests import required_gains, required_hits
from components.common.statistics.noninferiority import required_examples
from components.evaluate.config import EvaluateConfig
from components.finetune.config import BACKBONE_LIMITS, FinetuneConfig
from components.gate.config import GateConfig
from components.notify.config import NotifyConfig
from components.preprocess.config import PreprocessConfig
from components.prune.config import PruneConfig
from components.publish.config import PublishConfig
from components.quantize.config import QuantizeConfig
from components.report.config import DrawnBudgets, ReportConfig
from components.validate.config import ValidateConfig
from pipeline.declarations.placeholders import refuse_placeholders
from pipeline.declarations.refusals import explain_problems, section_classes
from pipeline.declarations.yaml_files import parse_yaml, read_yaml, write_yaml

SHIPPED = Path(__file__).with_name("recipes")
LOCATIONS = (("data", "folder"), ("data", "list"), ("train", "weights"))
"""The keys that hold a path or an address."""
NAME_PATTERN = r"[a-z][a-z0-9-]{0,62}"
SOURCES = ("folder", "list", "sample")
"""The keys of `data` of which a recipe gives one."""
WORDS_FOR_WEIGHTS = ("imagenet", "none")
"""Values of train.weights that are no location."""
Locations = Literal["here", "elsewhere", "open"]
"""What is asked of a recipe's locations: that they are on this machine; that they are given,
for a run elsewhere may find them there alone; or nothing, to look at the recipe."""


class Recipe(Section):
    """A labelled data set, how to train and compress on it, and the budgets to meet."""

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
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

    def least_test_examples(self) -> int:
        """Returns with how many test examples a run goes on."""
        return max(self.validation.min_test_examples, self.required_test_examples())

    def stage_configs(self) -> Mapping[str, StageConfig]:
        """Returns each component's configuration by its name, with what stages share filled in."""
        return {
            "preprocess": self.data,
            "validate": self._validation(),
            "finetune": self.train,
            "prune": self.prune or PruneConfig(),
            "quantize": self.quantize,
            "evaluate": self.evaluate,
            "benchmark": self.benchmark,
            "gate": self.budgets.model_copy(
                update={"balanced": self._is_balanced(), "model_name": self.name}
            ),
            "report": self.report.model_copy(
                update={"recipe": self.to_yaml(), "budgets": self._drawn_budgets()}
            ),
            "publish": PublishConfig(model_name=self.name, description=self.description),
            "notify": self.notify,
        }

    def _drawn_budgets(self) -> DrawnBudgets:
        drawn = set(DrawnBudgets.model_fields)
        return DrawnBudgets(**self.budgets.model_dump(include=drawn))

    def _is_balanced(self) -> bool:
        return self.train.class_weights == "balanced"

    def _validation(self) -> ValidateConfig:
        """Returns validate's configuration with what it must know of other sections."""
        own, budgets = self.validation, self.budgets
        # What the gate asks of its candidates together, if all of them take part.
        alpha = (1 - budgets.confidence) / len(self.candidate_ids())
        per_class, others = own.min_test_examples_per_class, own.min_other_test_examples
        if budgets.min_class_recall is not None:
            recall = budgets.min_class_recall
            per_class = max(per_class, required_hits(share=recall, alpha=alpha))
        if budgets.accuracy_drop is not None and not self._is_balanced():
            others = max(others, required_gains(alpha=alpha))
        prune = self.prune or PruneConfig()
        return own.model_copy(
            update={
                "min_test_examples": self.least_test_examples(),
                "min_test_examples_per_class": per_class,
                "min_other_test_examples": others,
                "balanced": self._is_balanced(),
                "mirrored": self.train.augment.flip or prune.augment.flip,
                "model_name": self.name,
            }
        )

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Reads what `to_yaml` returned."""
        return cls.model_validate_json(json.dumps(parse_yaml(text)))

    def to_yaml(self) -> str:
        """Returns the whole recipe, defaults included, as YAML."""
        return write_yaml(self.stated())

    def stated(self) -> dict[str, Any]:
        """Returns every value that a user may state, defaults included, by sections."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        filled_in = {
            name: set(section.filled_in)
            for name, section in sections.items()
            if isinstance(section, StageConfig)
        }
        return self.model_dump(mode="json", by_alias=True, exclude=filled_in)


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
      overrides: `section.key=value`, the value in YAML.
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
    if tiny:
        if not isinstance(variant, dict):
            raise UserError(f"{path}: the recipe has no tiny variant (a `tiny:` mapping)")
        values = _overlay(values, variant)
    values = _locate(values, path.parent)
    changes = [_locate(_parse_override(override), Path.cwd()) for override in overrides]
    _refuse_two_sources(changes)
    for change in changes:
        values = _overlay(values, change)
    source = " ".join([name_or_path, *(f"--set {override}" for override in overrides)])
    refuse_placeholders(values, source=source)
    _refuse_filled_in(values, source)
    recipe = _validate(values, source)
    if locations != "open" and not recipe.data.has_source():
        raise UserError(
            f"{source}: the recipe leaves open where the pictures are: give exactly one of folder, "
            "list, sample, such as --set data.folder=PATH, which has one sub-folder per class"
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


def recipe_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a recipe file, the `tiny` section included."""
    schema = Recipe.model_json_schema(by_alias=True)
    for section, key in _filled_in():
        stated = schema["properties"][section]["$ref"].rpartition("/")[2]
        del schema["$defs"][stated]["properties"][key]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["tiny"] = {
        "type": "object",
        "description": "Overrides for `--tiny`: the same sections, in part.",
    }
    return schema


def _read_yaml(path: Path) -> dict[str, Any]:
    values = read_yaml(path)
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
        raise UserError(
            f"{' and '.join(stated)}: give one of them, for a run has one source of pictures"
        )


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


def check_locations(recipe: Recipe) -> None:
    """Refuses a recipe whose paths lead nowhere on this machine.

    Raises:
      UserError: names the key and the path.
    """
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


def _filled_in() -> Iterator[tuple[str, str]]:
    """Yields section and key of each value that is no user's to state."""
    for name, field in Recipe.model_fields.items():
        for section in section_classes(field.annotation):
            if issubclass(section, StageConfig):
                yield from ((field.alias or name, key) for key in sorted(section.filled_in))


def _refuse_filled_in(values: Mapping[str, Any], source: str) -> None:
    for section, key in _filled_in():
        stated = values.get(section)
        if isinstance(stated, dict) and key in stated:
            raise UserError(
                f"{source}: the recipe is refused\n"
                f"  {section}.{key}: is filled in from the rest of the recipe; remove it"
            )


def _validate(values: Mapping[str, Any], source: str) -> Recipe:
    try:
        return Recipe.model_validate_json(json.dumps(values))
    except ValidationError as error:
        lines = explain_problems(error, Recipe)
        raise UserError(f"{source}: the recipe is refused\n{lines}") from error
