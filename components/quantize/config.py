"""What quantize is told: the candidates, and one task's share of them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field

from components.common.config import Choice, Section, StageConfig, choice_of, extend_section
from components.common.documents.candidate import BASELINE_ID, CandidateSpec, SchemeSpec
from components.common.documents.dataset import TaskName
from components.common.documents.variant import DENSE, StepSpec
from components.common.lite.file_steps import FILE_STEPS, label_step
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import Scheme

Remedy = Literal["calibration", "float_layers", "qat"]
"""What may mend a candidate; see components.quantize.repair."""

SHARE = "share"
"""Of all steps, it must come last."""


def _steps_in_order(stated: tuple[Choice, ...]) -> tuple[Choice, ...]:
    kinds = [each.kind for each in stated]
    if _repeats(kinds):
        raise ValueError(f"file_steps names a step twice: {', '.join(kinds)}")
    if SHARE in kinds[:-1]:
        raise ValueError(f"{SHARE} must be the last step: those after it write equal parts anew")
    return stated


def _schemes_fit(stated: tuple[Choice, ...]) -> tuple[Choice, ...]:
    if _repeats([*map(_names, stated)]):
        raise ValueError(f"names a scheme twice: {', '.join(each.kind for each in stated)}")
    for scheme in stated:
        for step in _own_steps(scheme) or ():
            if _is_idle(step.kind, scheme.kind):
                raise ValueError(f"{scheme.kind}: its file holds nothing that {step.kind} works on")
    return stated


def _names(declared: Choice) -> tuple[str, ...]:
    """Returns what a candidate is called by, beside its variant; a scheme's settings are not."""
    return declared.kind, *(label_step(StepSpec.of(step)) for step in _own_steps(declared) or ())


def _repeats(stated: Sequence[object]) -> bool:
    return any(one in stated[:at] for at, one in enumerate(stated))


def _is_idle(step: str, scheme: str) -> bool:
    return scheme in FILE_STEPS[step].idle_under


if TYPE_CHECKING:
    DeclaredFileStep: TypeAlias = Choice
else:  # What is registered may be stated.
    DeclaredFileStep = choice_of(
        "DeclaredFileStep", {kind: step.Settings for kind, step in FILE_STEPS.items()}
    )
FileSteps = Annotated[tuple[DeclaredFileStep, ...], AfterValidator(_steps_in_order)]


def _candidate_settings(scheme: Scheme) -> type[Section]:
    """Returns what a recipe states of a candidate: of its scheme, and of the steps on its file."""
    file_steps = Field(
        default=None,
        description="Of its own file, in order; without it, what quantize.file_steps says.",
    )
    return extend_section(
        f"{scheme.kind}_settings", scheme.Settings, {"file_steps": (FileSteps | None, file_steps)}
    )


if TYPE_CHECKING:
    DeclaredScheme: TypeAlias = Choice
else:
    DeclaredScheme = choice_of(
        "DeclaredScheme", {kind: _candidate_settings(each) for kind, each in SCHEMES.items()}
    )
CandidateSchemes = Annotated[tuple[DeclaredScheme, ...], AfterValidator(_schemes_fit)]
"""Each makes a candidate of a model."""


def _own_steps(scheme: DeclaredScheme) -> tuple[DeclaredFileStep, ...] | None:
    """Returns the steps on the file that are stated with a scheme; None where nothing is said."""
    steps: tuple[DeclaredFileStep, ...] | None = dict(scheme.settings)["file_steps"]
    return steps


def _schemes(*kinds: str) -> tuple[DeclaredScheme, ...]:
    return tuple(DeclaredScheme.model_validate(kind) for kind in kinds)


class CandidateConfig(StageConfig):
    """One task's part: what it must be keyed by, and no more."""

    candidate_id: str
    variant: str
    scheme: SchemeSpec
    file_steps: tuple[StepSpec, ...]
    repair_above: float | None
    """None where there is nothing to repair: the scheme takes no ranges from examples, or a step on
    the file gives accuracy away."""
    remedies: tuple[Remedy, ...]


class QuantizeConfig(StageConfig):
    """The recipe's `quantize` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"candidates"})

    schemes: CandidateSchemes = _schemes("float32", "float16", "dynamic_range", "int8")
    """Of the dense model; float32 is always made, as the baseline."""
    compressed_schemes: CandidateSchemes = _schemes("float32", "int8")
    """Of each compressed model that states none itself."""
    calibration_examples: Annotated[int, Field(ge=10, le=10_000)] = 200
    """Training examples from which int8 takes its activation ranges."""
    file_steps: FileSteps = ()
    """What is done to each finished `.tflite` file, in order, where a scheme states nothing of its
    own and leaves a step something to work on. `share` writes equal vectors once: the file is
    smaller, and predicts the same to the bit."""
    repair_above: Annotated[float, Field(ge=0, lt=1)] | None = 0.02
    """A candidate whose ranges come from examples, and which loses more accuracy than this on
    validation, is diagnosed, and mended if it can be, unless a step on its file gives accuracy
    away; null: none is looked at."""
    remedies: tuple[Remedy, ...] = ("calibration", "float_layers", "qat")
    """What is tried then, always in this order, until something is enough: `calibration` on more
    examples; `float_layers`, those to blame in float32, which devices that compute in integers
    alone can't run; `qat`, a short training on the training split that rounds as int8 does."""
    candidates: tuple[CandidateSpec, ...] = ()
    """All that the recipe asks for, the baseline first."""

    def with_candidates(
        self,
        variants: Iterable[str],
        *,
        schemes: Mapping[str, Sequence[DeclaredScheme]] = MappingProxyType({}),
    ) -> Self:
        """Returns the configuration with every variant under each of its schemes.

        Args:
          variants: their ids; of DENSE, a candidate is called as its scheme.
          schemes: by variant, where one states its own.
        """
        asked = {DENSE: _baseline_first(self.schemes), **schemes}
        candidates = tuple(
            self._candidate(variant, scheme)
            for variant in variants
            for scheme in asked.get(variant, self.compressed_schemes)
        )
        return self.model_copy(update={"candidates": candidates})

    def _candidate(self, variant: str, declared: DeclaredScheme) -> CandidateSpec:
        own = _own_steps(declared)
        stated = tuple(map(StepSpec.of, own or ()))
        common = (step for step in self.file_steps if not _is_idle(step.kind, declared.kind))
        names = [*([] if variant == DENSE else [variant]), *_names(declared)]
        return CandidateSpec(
            id="-".join(names),
            variant=variant,
            scheme=SCHEMES[declared.kind].specify(
                self.model_dump(mode="json", exclude={"schemes", "compressed_schemes"}),
                declared.settings.model_dump(mode="json", exclude={"file_steps"}),
            ),
            file_steps=tuple(map(StepSpec.of, common)) if own is None else stated,
        )

    def for_candidate(self, id_: str, *, found: Iterable[CandidateSpec] = ()) -> CandidateConfig:
        """Returns one task's part.

        Args:
          id_: the candidate's id.
          found: candidates that a search asks for, beside those that the recipe does.
        """
        own = {candidate.id: candidate for candidate in (*self.candidates, *found)}[id_]
        return CandidateConfig(
            candidate_id=own.id,
            variant=own.variant,
            scheme=own.scheme,
            file_steps=own.file_steps,
            repair_above=self.repair_above if may_have_faults(own) else None,
            remedies=self.remedies,
        )


def explain_refusal(scheme: Choice, task: TaskName) -> str | None:
    """Returns why a task's models can't be converted by a scheme, None where they can."""
    return SCHEMES[scheme.kind].refused_by.get(task)


def may_have_faults(candidate: CandidateSpec) -> bool:
    """Whether a loss of a candidate would be a fault: of its ranges, which come from examples."""
    calibrates = "calibration_examples" in candidate.scheme.settings
    return calibrates and not any(FILE_STEPS[step.kind].lossy for step in candidate.file_steps)


def _baseline_first(schemes: Sequence[DeclaredScheme]) -> Sequence[DeclaredScheme]:
    (baseline,) = _schemes(BASELINE_ID)
    return baseline, *(scheme for scheme in schemes if scheme != baseline)
