"""Recipe: what is computed, typed and validated.

A recipe's sections are the stages' own configurations, so that each value is described
and checked in one place. This module adds what no single stage can check: combinations.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.benchmark.config import BenchmarkConfig
from components.common.config import Section, StageConfig
from components.common.documents.dataset import TaskName
from components.common.documents.variant import Variant
from components.common.statistics.exact_tests import required_gains, required_hits
from components.common.statistics.noninferiority import examples_to_rank, required_examples
from components.common.tasks.image.compatibility import explain_misfit
from components.common.tasks.image.config import Augment
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.tasks.sources import sources_of
from components.compress.config import CompressConfig
from components.compress.steps.prune import Settings as PruneSettings
from components.evaluate.config import EvaluateConfig
from components.finetune.config import FinetuneConfig, TextFinetuneConfig, TrainConfig
from components.gate.config import GateConfig
from components.notify.config import NotifyConfig
from components.preprocess.config import PreprocessConfig
from components.publish.config import PublishConfig
from components.quantize.config import QuantizeConfig
from components.report.config import ReportConfig
from components.validate.config import PictureChecks, TextChecks, ValidateConfig
from pipeline.declarations.refusals import section_classes
from pipeline.declarations.yaml_files import parse_yaml, write_yaml
from pipeline.recipe.ladder import (
    DeclaredVariant,
    Ladder,
    arrange,
    declare,
    find_fault,
    find_frozen,
    find_misfit,
    find_namesakes,
    find_strange_scheme,
    find_strange_step,
    find_uncut,
    learn_as,
)
from pipeline.recipe.searching import propose_config, widen
from pipeline.stages import STAGES, StageEntry

NAME_PATTERN = r"[a-z][a-z0-9-]{0,62}"


class Compression(NamedTuple):
    """What the DAG's shape knows of a compressed variant: no value of a recipe."""

    variant_id: str
    kinds: tuple[str, ...]
    """Of its steps."""


class Recipe(Section):
    """A labelled data set, how to train and compress on it, and the budgets to meet.

    Attributes:
      foreign: section -> those of its keys that recipes of another task alone state.
    """

    foreign: ClassVar[Mapping[str, frozenset[str]]] = {}

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
    """Also the model's name in the registry."""
    description: str = ""
    task: TaskName = "image"
    """What the data are: pictures, or texts."""
    data: PreprocessConfig
    validation: ValidateConfig = Field(default=ValidateConfig(), alias="validate")
    train: TrainConfig
    prune: PruneSettings | None = None
    compress: Ladder = Ladder()
    quantize: QuantizeConfig = QuantizeConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    benchmark: BenchmarkConfig = BenchmarkConfig()
    budgets: GateConfig = GateConfig()
    report: ReportConfig = ReportConfig()
    notify: NotifyConfig = NotifyConfig()

    @field_validator("prune")
    @classmethod
    def _prune_as_training(
        cls, prune: PruneSettings | None, info: ValidationInfo
    ) -> PruneSettings | None:
        train = info.data.get("train")
        return prune if prune is None or train is None else learn_as(train, prune)

    @field_validator("compress")
    @classmethod
    def _compress_as_training(cls, ladder: Ladder, info: ValidationInfo) -> Ladder:
        train = info.data.get("train")
        return ladder if train is None else ladder.with_settings(partial(learn_as, train))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        misfits = (
            self._explain_foreign,
            self._explain_schema,
            partial(find_strange_step, self._declared(), self.task),
            partial(find_strange_scheme, self._declared(), self.quantize, self.task),
        )
        for explain in (*misfits, self._explain_misfit):
            if misfit := explain():
                raise ValueError(misfit)
        schemes = self.quantize.compressed_schemes
        if fault := find_fault(self.compress, prune=self.prune, schemes=schemes):
            raise ValueError(fault)
        if self.compress.search is not None and self.budgets.accuracy_drop is None:
            raise ValueError(
                "compress.search: a search must know what may be lost; state "
                "budgets.accuracy_drop, the largest loss against float32 to accept, as a share "
                "(0.02 is two points)"
            )
        if fault := find_frozen(self._declared(), self.train):
            raise ValueError(fault)
        if fault := find_namesakes(self._quantization().candidates):
            raise ValueError(fault)
        return self

    def _explain_foreign(self) -> str | None:
        """Says which key is stated that is another task's, if one is."""
        for section, keys in self.foreign.items():
            for key in sorted(keys & self._sections()[section].model_fields_set):
                return (
                    f"{section}.{key}: the recipe is one for {sources_of(self.task).EXAMPLES}; "
                    "remove it, or state another task"
                )
        return None

    def _explain_schema(self) -> str | None:
        """Says what the schema of the data asks for that examples of the task don't have."""
        schema, sources = self.validation.data_schema, sources_of(self.task)
        if schema is None:
            return None
        for key, stated, known in (
            ("values", schema.values, tuple(sources.VALUES)),
            ("ranges", schema.ranges, sources.RANGES),
            *(
                (f"values.{name}", words, sources.VALUES.get(name, ()))
                for name, words in schema.values.items()
            ),
        ):
            for name in stated:
                if name not in known:
                    return (
                        f"validate.data_schema.{key}: of {sources.EXAMPLES} must be among "
                        f"{', '.join(known)} (got {name})"
                    )
        return None

    def _explain_misfit(self) -> str | None:
        """Says by its key what does not fit the task, if anything doesn't."""
        return None

    def candidate_ids(self) -> tuple[str, ...]:
        """Returns the candidates that the recipe names; in a search those of the dense model."""
        return tuple(candidate.id for candidate in self._quantization().candidates)

    def most_proven(self) -> int:
        """Returns how many candidates come to the proof at most, float32 among them."""
        search = self.compress.search
        return len(self.candidate_ids()) if search is None else search.finalists + 1

    def search_rounds(self) -> int:
        """Returns how many rounds of trials a search has; 0 where the recipe declares variants."""
        search = self.compress.search
        return search.rounds if search is not None else 0

    def variants(self) -> tuple[Variant, ...]:
        """Returns the tree of models, each after its parent."""
        return arrange(self._declared())

    def compressions(self) -> tuple[Compression, ...]:
        """Returns the compressed variants, in the order of the tasks that make them."""
        return tuple(
            Compression(variant.id, tuple(step.kind for step in variant.steps))
            for variant in self.variants()[1:]
        )

    def smallest_margin(self) -> float | None:
        """Returns the accuracy drop that takes the most examples to prove, if any is stated."""
        drops = (self.budgets.accuracy_drop, self.budgets.blessed_accuracy_drop)
        return min((drop for drop in drops if drop is not None), default=None)

    def required_test_examples(self, *, candidates: int | None = None) -> int:
        """Returns how many test examples the gate asks for, at most.

        Against float32 it judges all other candidates, against a blessed model all of them:
        each is a claim of its own, as in components.gate.trials. Many claims take more examples
        than one, by the logarithm of their number: 60 take some three times as many.

        Args:
          candidates: so many, float32 among them; None for all that come to the proof.
        """
        drop = self.budgets.accuracy_drop
        count = self.most_proven() if candidates is None else candidates
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
        filled_in = {
            "preprocess": self._preprocessing(),
            "validate": self._validation(),
            "compress": CompressConfig(variants=self.variants()[1:]),
            "propose": propose_config(
                self.compress.search,
                train=self.train,
                quantize=self.quantize,
                budgets=self.budgets.budgets(),
            ),
            "quantize": self._quantization(),
            "gate": self.budgets.model_copy(
                update={"balanced": self._is_balanced(), "model_name": self.name}
            ),
            "report": self.report.model_copy(update={"recipe": self.to_yaml()}),
            "publish": PublishConfig(model_name=self.name, description=self.description),
        }
        return {
            stage.name: filled_in.get(stage.name) or self._section(stage) or stage.config()
            for stage in STAGES
        }

    def tasks_of(self, stage: StageEntry) -> tuple[str, ...]:
        """Returns how a stage's tasks are called in events and in a run's folder."""
        match stage.per:
            case "variant":
                ids = tuple(each.variant_id for each in self.compressions())
            case "round":
                rounds = self.search_rounds()
                ids = tuple(str(number) for number in range(1, rounds + 2)) if rounds else ()
            case "candidate":
                # Of a search, nobody knows ahead which there are.
                ids = () if self.search_rounds() else self.candidate_ids()
            case "run":
                return (stage.name,)
        return tuple(f"{stage.name}[{id_}]" for id_ in ids)

    def _section(self, stage: StageEntry) -> StageConfig | None:
        return getattr(self, stage.section) if stage.section is not None else None

    def _declared(self) -> Mapping[str, DeclaredVariant]:
        return declare(self.compress, prune=self.prune)

    def _preprocessing(self) -> PreprocessConfig:
        """Returns preprocess's configuration with what it must know of other sections."""
        return self.data

    def _mirrors(self) -> bool:
        """Whether training shows examples in a mirror."""
        return False

    def _quantization(self) -> QuantizeConfig:
        schemes = {
            id_: variant.schemes
            for id_, variant in self._declared().items()
            if variant.schemes is not None
        }
        quantize = self.quantize
        if self.compress.search is not None:
            quantize = widen(quantize, self.budgets.objective)
        return quantize.with_candidates((each.id for each in self.variants()), schemes=schemes)

    def _is_balanced(self) -> bool:
        return self.train.class_weights == "balanced"

    def _examples_to_rank(self) -> int:
        drop = self.budgets.accuracy_drop
        return 0 if self.compress.search is None or drop is None else examples_to_rank(margin=drop)

    def _validation(self) -> ValidateConfig:
        """Returns validate's configuration with what it must know of other sections."""
        own, budgets = self.validation, self.budgets
        # What the gate asks of its candidates together, if all of them take part.
        alpha = (1 - budgets.confidence) / self.most_proven()
        per_class, others = own.min_test_examples_per_class, own.min_other_test_examples
        if budgets.min_class_recall is not None:
            recall = budgets.min_class_recall
            per_class = max(per_class, required_hits(share=recall, alpha=alpha))
        if budgets.accuracy_drop is not None and not self._is_balanced():
            others = max(others, required_gains(alpha=alpha))
        return own.model_copy(
            update={
                "min_test_examples": self.least_test_examples(),
                "min_test_examples_per_class": per_class,
                "min_other_test_examples": others,
                "examples_to_rank": self._examples_to_rank(),
                "balanced": self._is_balanced(),
                "mirrored": self._mirrors(),
                "model_name": self.name,
            }
        )

    @classmethod
    def complete(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns a recipe's values with what its task says without words."""
        return values

    @staticmethod
    def of(values: Any) -> "Recipe":
        """Reads a recipe's values, as JSON has them, by its task.

        Raises:
          ValidationError: a key or value is refused.
        """
        kind = kind_of(values)
        complete = kind.complete(values) if isinstance(values, dict) else values
        return kind.model_validate_json(json.dumps(complete))

    @staticmethod
    def from_yaml(text: str) -> "Recipe":
        """Reads what `to_yaml` returned."""
        return Recipe.of(parse_yaml(text))

    def to_yaml(self) -> str:
        """Returns the whole recipe, defaults included, as YAML."""
        return write_yaml(self.stated())

    def stated(self) -> dict[str, Any]:
        """Returns every value that a user may state, defaults included, by sections."""
        values = self.model_dump(mode="json", by_alias=True)
        for section, keys in self.filled_in().items():
            for key in keys | self.foreign.get(section, frozenset()):
                del values[section][key]
        return values

    @classmethod
    def filled_in(cls) -> Mapping[str, frozenset[str]]:
        """Returns section -> those of its keys that are no user's to state."""
        return {
            field.alias or name: section.filled_in
            for name, field in cls.model_fields.items()
            for section in section_classes(field.annotation)
            if issubclass(section, StageConfig)
        }

    def _sections(self) -> Mapping[str, Any]:
        fields = type(self).model_fields.items()
        return {field.alias or name: getattr(self, name) for name, field in fields}


class PictureRecipe(Recipe):
    """A recipe for pictures."""

    foreign = {"data": frozenset({"text"}), "validate": frozenset(TextChecks.model_fields)}

    task: Literal["image"] = "image"
    train: FinetuneConfig

    def _explain_misfit(self) -> str | None:
        backbone = self.train.backbone
        if misfit := explain_misfit(backbone, self.data):
            return misfit
        if self.train.weights == "imagenet" and not BACKBONE_LIMITS[backbone].imagenet:
            return (
                f"train.weights: there are no imagenet weights for the backbone "
                f"{self.train.backbone}; use none or a weights file"
            )
        if self.train.weights == "none" and self.train.unfreeze is not None:
            return (
                "train.unfreeze: a backbone without pretrained weights is trained whole from "
                "the first epoch; remove unfreeze, or state train.weights"
            )
        return find_misfit(self._declared(), self.data)

    def _mirrors(self) -> bool:
        steps = (step for each in self._declared().values() for step in each.steps)
        augments = (getattr(step.settings, "augment", None) for step in steps)
        return self.train.augment.flip or any(each and each.flip for each in augments)


class TextRecipe(Recipe):
    """A recipe for texts."""

    foreign = {
        "data": frozenset(PictureSettings.model_fields),
        "validate": frozenset(PictureChecks.model_fields),
    }

    task: Literal["text"] = "text"
    train: TextFinetuneConfig = TextFinetuneConfig()

    @classmethod
    def complete(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        data = values.get("data")
        return {**values, "data": {"text": {}, **data}} if isinstance(data, dict) else values

    def _explain_misfit(self) -> str | None:
        steps = (step for each in self._declared().values() for step in each.steps)
        if any(getattr(step.settings, "augment", Augment()) != Augment() for step in steps):
            return "augment: texts are not changed while a model trains; remove it from the steps"
        assert self.data.text is not None
        length = self.data.text.length
        return find_uncut(self._declared(), None if length == "auto" else length)

    def _preprocessing(self) -> PreprocessConfig:
        # An encoder's vocabulary makes texts into tokens.
        return self.data.model_copy(update={"encoder": self.train.encoder})


def kind_of(values: Any) -> type[Recipe]:
    """Returns what reads a recipe's values; of a task that there is not, what refuses its name."""
    task = values.get("task", "image") if isinstance(values, dict) else None
    return next((kind for name, kind in RECIPES.items() if name == task), PictureRecipe)


RECIPES: Mapping[TaskName, type[Recipe]] = {"image": PictureRecipe, "text": TextRecipe}
