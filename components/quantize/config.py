"""What quantize is told: the candidates, and one task's share of them."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from components.common.config import StageConfig
from components.common.documents.candidate import BASELINE_ID, CandidateSpec, Scheme
from components.common.documents.variant import DENSE


class CandidateConfig(StageConfig):
    """One task's part: what it must be keyed by, and no more."""

    candidate_id: str
    variant: str
    scheme: Scheme
    calibration_examples: int
    """0 where the scheme needs none."""


class QuantizeConfig(StageConfig):
    """The recipe's `quantize` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"candidates"})

    schemes: tuple[Scheme, ...] = ("float32", "float16", "dynamic_range", "int8")
    """Of the dense model; float32 is always made, as the baseline."""
    pruned_schemes: tuple[Scheme, ...] = ("float32", "int8")
    """Of the pruned model, where the recipe prunes."""
    calibration_examples: Annotated[int, Field(ge=10, le=10_000)] = 200
    """Training examples from which int8 takes its activation ranges."""
    candidates: tuple[CandidateSpec, ...] = ()
    """All that the recipe asks for, the baseline first."""

    @model_validator(mode="after")
    def _no_scheme_twice(self) -> Self:
        for name in ("schemes", "pruned_schemes"):
            schemes = getattr(self, name)
            if len(set(schemes)) < len(schemes):
                raise ValueError(f"{name} names a scheme twice: {', '.join(schemes)}")
        return self

    def with_candidates(self, variants: Iterable[str]) -> Self:
        """Returns the configuration with every variant under each of its schemes.

        Args:
          variants: their ids; of DENSE, a candidate is called as its scheme.
        """
        dense = (BASELINE_ID, *(scheme for scheme in self.schemes if scheme != BASELINE_ID))
        candidates = tuple(
            CandidateSpec(
                id=scheme if variant == DENSE else f"{variant}-{scheme}",
                variant=variant,
                scheme=scheme,
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
            calibration_examples=self.calibration_examples if own.scheme == "int8" else 0,
        )
