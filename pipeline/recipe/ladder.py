"""The ladder: the compressed models that a recipe declares, each made of another one.

A recipe states variants by id, in any order; here they become a tree below the model that `train`
makes, in which each stands after its parent. `prune` is short for the variant PRUNED with one step.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

from components.common.config import Choice, Section, choice_of
from components.common.documents.candidate import CandidateSpec
from components.common.documents.dataset import TaskName
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.tasks.image.preparation.settings import PictureSettings
from components.common.words import figures
from components.compress.steps import STEPS
from components.compress.steps.step import task_of
from components.finetune.config import TrainConfig
from components.propose.config import SearchSettings
from components.quantize.config import CandidateSchemes, QuantizeConfig, explain_refusal
from pipeline.declarations.refusals import shown

S = TypeVar("S", bound=Section)

PRUNED = "pruned"
"""The variant that the section `prune` makes."""

_ID = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*")
_LONGEST_ID = 40  # It begins the ids of candidates, and these the names of files.


def _check_id(id_: str) -> str:
    if len(id_) > _LONGEST_ID or not _ID.fullmatch(id_):
        raise ValueError(
            "a variant's id has small letters, digits, underscores and single hyphens, begins with "
            f"a letter, and has {_LONGEST_ID} characters at most, such as half-width"
        )
    return id_


VariantId = Annotated[str, AfterValidator(_check_id)]

if TYPE_CHECKING:
    DeclaredStep: TypeAlias = Choice
else:  # What is registered may be stated.
    DeclaredStep = choice_of("DeclaredStep", {kind: step.Settings for kind, step in STEPS.items()})


def _not_empty(steps: tuple[Choice, ...]) -> tuple[Choice, ...]:
    if not steps:
        raise ValueError("must name a step, such as {prune: {final_sparsity: 0.8}}")
    return steps


class DeclaredVariant(Section):
    """A model, made of another one by compression steps."""

    parent: str = DENSE
    """The id of the variant that it is made of; `dense` is the model that `train` makes."""
    steps: Annotated[
        tuple[DeclaredStep, ...],
        AfterValidator(_not_empty),
        Field(json_schema_extra={"minItems": 1}),
    ]
    """What is done to the parent, in order. What a step does not state of how it learns is as in
    `train`."""
    schemes: CandidateSchemes | None = None
    """How it is converted; without it, by quantize.compressed_schemes. An empty list makes no
    candidate of it: then other variants are made of it."""


class Ladder(Section):
    """Compressed models, which are measured against one another and proven together."""

    variants: Mapping[VariantId, DeclaredVariant] = {}
    """By their ids, in any order. A candidate is called `<variant>-<scheme>`."""
    search: SearchSettings | None = None
    """Finds the variants itself, in place of `variants`: what may be spent on it."""

    def with_settings(self, change: Callable[[Section], Section]) -> Self:
        """Returns the same ladder, with what every step is told changed."""

        def changed(variant: DeclaredVariant) -> DeclaredVariant:
            steps = tuple(step.told(change(step.settings)) for step in variant.steps)
            return variant.model_copy(update={"steps": steps})

        variants = {id_: changed(variant) for id_, variant in self.variants.items()}
        return self.model_copy(update={"variants": variants})


def learn_as(training: TrainConfig, settings: S) -> S:
    """Returns a step's settings with what they leave open of how it learns taken from training."""
    alike: frozenset[str] = getattr(settings, "LEARNED_ALIKE", frozenset())
    missing = (alike - settings.model_fields_set) & set(type(training).model_fields)
    return settings.model_copy(update={name: getattr(training, name) for name in missing})


def declare(ladder: Ladder, *, prune: Section | None) -> Mapping[str, DeclaredVariant]:
    """Returns all variants but the root by their ids, the one of the section `prune` first."""
    if prune is None:
        return ladder.variants
    step = DeclaredStep.model_validate({"prune": prune})
    return {PRUNED: DeclaredVariant(steps=(step,)), **ladder.variants}


def arrange(declared: Mapping[str, DeclaredVariant]) -> tuple[Variant, ...]:
    """Returns the tree of models, the root first and each after its parent."""
    return Variant(id=DENSE, parent=None), *(
        Variant(
            id=id_,
            parent=declared[id_].parent,
            steps=tuple(map(StepSpec.of, declared[id_].steps)),
        )
        for id_ in _in_order(declared)
    )


def find_fault(ladder: Ladder, *, prune: Section | None, schemes: Sequence[object]) -> str | None:
    """Says by its key what is wrong with a ladder as a whole, if anything is.

    Args:
      ladder: as declared.
      prune: the section of this name.
      schemes: of variants that state none.
    """
    taken = {DENSE: "the model that train makes"}
    if prune is not None:
        taken[PRUNED] = "the model that the section prune makes"
    for id_ in ladder.variants:
        if id_ in taken:
            return f"compress.variants.{id_}: {id_} is {taken[id_]}; give another name"
    declared = declare(ladder, prune=prune)
    if ladder.search is not None and declared:
        other = "compress.variants" if ladder.variants else "prune"
        return (
            f"compress.search: a search makes its own variants, among them those that {other} asks "
            f"for where they can win; remove {other}, or the search"
        )
    return _find_stranger(declared) or _find_circle(declared) or _find_dead_end(declared, schemes)


def find_strange_step(declared: Mapping[str, DeclaredVariant], task: TaskName) -> str | None:
    """Says by its key which step is one of another task's models, if any is."""
    for id_, variant in declared.items():
        for step in variant.steps:
            if (of_task := task_of(type(step.settings))) not in (None, task):
                return (
                    f"compress.variants.{id_}.steps: {step.kind} is a step for the task {of_task}, "
                    f"and this recipe's is {task}; remove it"
                )
    return None


def find_strange_scheme(
    declared: Mapping[str, DeclaredVariant], quantize: QuantizeConfig, task: TaskName
) -> str | None:
    """Says by its key which scheme can't convert the task's models, if any can't."""
    stated = {
        "quantize.schemes": quantize.schemes,
        "quantize.compressed_schemes": quantize.compressed_schemes,
        **{f"compress.variants.{id_}.schemes": one.schemes or () for id_, one in declared.items()},
    }
    for key, schemes in stated.items():
        for scheme in schemes:
            if reason := explain_refusal(scheme, task):
                return (
                    f"{key}: {scheme.kind} is not for the task {task}: {reason}; remove it, or "
                    "state dynamic_range in its place"
                )
    return None


def find_misfit(declared: Mapping[str, DeclaredVariant], data: PictureSettings) -> str | None:
    """Says by its key which step can't take the pictures, if any can't."""
    for id_, variant in declared.items():
        for step in variant.steps:
            explain = getattr(step.settings, "explain_misfit", None)
            if explain and (misfit := explain(side=data.image_size, channels=data.channels)):
                return f"compress.variants.{id_}.steps.{step.kind}.{misfit}"
    return None


def find_uncut(declared: Mapping[str, DeclaredVariant], length: int | None) -> str | None:
    """Says by its key which step cuts texts to no fewer tokens than the model sees, if any does.

    Args:
      declared: the variants.
      length: how many the dense model sees; None where only the data tell.
    """
    seen = {DENSE: length}
    for id_ in _in_order(declared):
        left = seen[declared[id_].parent]
        for step in declared[id_].steps:
            tokens: int | None = getattr(step.settings, "tokens", None)
            if tokens is not None and left is not None and tokens >= left:
                return (
                    f"compress.variants.{id_}.steps.{step.kind}.tokens: the model before the step "
                    f"sees {left} tokens of a text; state fewer than these, not {tokens}"
                )
            left = left if tokens is None else tokens
        seen[id_] = left
    return None


def find_frozen(declared: Mapping[str, DeclaredVariant], train: TrainConfig) -> str | None:
    """Says which variant prunes a model of which the head alone is trained, if any does."""
    if not train.is_pretrained or train.second_phase is not None:
        return None
    taught: set[str] = set()  # A student is trained whole.
    for id_ in _in_order(declared):
        variant = declared[id_]
        learned = variant.parent in taught
        for step in variant.steps:
            learned = learned or step.kind == "distil"
            if step.kind == "prune" and not learned:
                return (
                    "train.unfreeze: only layers that are trained are pruned, and of a pretrained "
                    "backbone without unfreeze none is; state it, such as {epochs: 8}, or leave "
                    f"out the variant {id_}"
                )
        if learned:
            taught.add(id_)
    return None


def find_namesakes(candidates: Sequence[CandidateSpec]) -> str | None:
    """Says by its key where two candidates have the same id, if any have."""
    for at, one in enumerate(candidates):
        if one.id in {other.id for other in candidates[:at]}:
            own = f"compress.variants.{one.variant}.schemes"
            return (
                f"{'quantize.schemes' if one.variant == DENSE else own}: two candidates are called "
                f"{one.id}; of schemes and file steps that come to the same name, state one"
            )
    return None


def _find_stranger(declared: Mapping[str, DeclaredVariant]) -> str | None:
    ids = [DENSE, *declared]
    for id_, variant in declared.items():
        if variant.parent not in ids:
            alike = difflib.get_close_matches(variant.parent, ids, n=1)
            meant = f"did you mean {alike[0]}?" if alike else f"there are {figures.shown(ids)}"
            return (
                f"compress.variants.{id_}.parent: there is no variant {shown(variant.parent)}; "
                f"{meant}"
            )
    return None


def _find_circle(declared: Mapping[str, DeclaredVariant]) -> str | None:
    placed = set(_in_order(declared))
    left = next((id_ for id_ in declared if id_ not in placed), None)
    if left is None:
        return None
    passed: list[str] = []  # Each one's parent follows; at the end of the way is a circle.
    while left not in passed:
        passed.append(left)
        left = declared[left].parent
    circle = passed[passed.index(left) :]
    way = ", that of ".join([*circle[1:], left])
    return (
        f"compress.variants.{left}.parent: {left} is made of {way}: one of them must be made of "
        f"{DENSE}, or of a variant that is"
    )


def _find_dead_end(
    declared: Mapping[str, DeclaredVariant], schemes: Sequence[object]
) -> str | None:
    parents = {variant.parent for variant in declared.values()}
    for id_, variant in declared.items():
        own = schemes if variant.schemes is None else variant.schemes
        if not own and id_ not in parents:
            key = f"compress.variants.{id_}.schemes"
            return (
                f"{key if variant.schemes is not None else 'quantize.compressed_schemes'}: names "
                f"no scheme, and no other variant is made of {id_}, so that nothing would come of "
                "it; name a scheme"
            )
    return None


def _in_order(declared: Mapping[str, DeclaredVariant]) -> Sequence[str]:
    """Returns ids after their parents', otherwise as declared; those of a circle are left out."""
    placed, order = {DENSE}, list[str]()
    while ready := [
        id_ for id_, variant in declared.items() if id_ not in placed and variant.parent in placed
    ]:
        placed.update(ready)
        order += ready
    return order
