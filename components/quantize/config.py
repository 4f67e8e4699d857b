"""What quantize is told: the candidates, and one task's share of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from components.common.config import StageConfig
from components.common.documents.candidate import BASELINE_ID, CandidateSpec, SchemeSpec
from components.common.documents.variant import DENSE
from components.quantize.file_steps import FILE_STEPS
from components.quantize.schemes import SCHEMES

if TYPE_CHECKING:
    SchemeKind: TypeAlias = str
    FileStepKind: TypeAlias = str
else:  # What is registered may be named.
    SchemeKind, FileStepKind = Literal[tuple(SCHEMES)], Literal[tuple(FILE_STEPS)]


class CandidateConfig(StageConfig):
    """One task's part: what it must be keyed by, and no more."""

    candidate_id: str
    variant: str
    scheme: SchemeSpec
    file_steps: tuple[FileStepKind, ...]


class QuantizeConfig(StageConfig):
    """The recipe's `quantize` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"candidates"})

    schemes: tuple[SchemeKind, ...] = ("float32", "float16", "dynamic_range", "int8")
    """Of the dense model; float32 is always made, as the baseline."""
    pruned_schemes: tuple[SchemeKind, ...] = ("float32", "int8")
    """Of the pruned model, where the recipe prunes."""
    calibration_examples: Annotated[int, Field(ge=10, le=10_000)] = 200
    """Training examples from which int8 takes its activation ranges."""
    file_steps: tuple[FileStepKind, ...] = ()
    """What is done to each finished `.tflite` file, in order. `share` writes equal vectors once:
    the file is smaller, and predicts the same to the bit."""
    candidates: tuple[CandidateSpec, ...] = ()
    """All that the recipe asks for, the baseline first."""

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name in ("schemes", "pruned_schemes", "file_steps"):
            kinds = getattr(self, name)
            if len(set(kinds)) < len(kinds):
                what = "step" if name == "file_steps" else "scheme"
                raise ValueError(f"{name} names a {what} twice: {', '.join(kinds)}")
        return self

    def with_candidates(self, variants: Iterable[str]) -> Self:
        """Returns the configuration with every variant under each of its schemes.

        Args:
          variants: their ids; of DENSE, a candidate is called as its scheme.
        """
        dense = (BASELINE_ID, *(scheme for scheme in self.schemes if scheme != BASELINE_ID))
        section = self.model_dump(mode="json")
        candidates = tuple(
            CandidateSpec(
                id=scheme if variant == DENSE else f"{variant}-{scheme}",
                variant=variant,
                scheme=SCHEMES[scheme].specify(section),
            )
            for variant in variants
            for scheme in (dense if variant == DENSE else self.pruned_schemes)
        )
        return self.model_copy(update={"candidates": candidates})

    def for_candidate(self, id_: str) -> CandidateConfig:
        (own,) = (candidate for candidate in self.candidates if candidate.id == id_)
        return CandidateConfig(
            candidate_id=own.id,
            variant=own.variant,
            scheme=own.scheme,
            file_steps=self.file_steps,
        )
