"""What quantize is told: the schemes, and one task's share of them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from components.common.config import StageConfig
from components.common.documents.candidate import BASELINE_ID, Scheme, Source, candidate_id


class CandidateConfig(StageConfig):
    """One task's part: what it must be keyed by, and no more."""

    source: Source
    scheme: Scheme
    calibration_examples: int
    """0 where the scheme needs none."""

    @property
    def candidate_id(self) -> str:
        return candidate_id(self.source, self.scheme)


class QuantizeConfig(StageConfig):
    """The recipe's `quantize` section."""

    schemes: tuple[Scheme, ...] = ("float32", "float16", "dynamic_range", "int8")
    """Of the dense model; float32 is always made, as the baseline."""
    pruned_schemes: tuple[Scheme, ...] = ("float32", "int8")
    """Of the pruned model, where the recipe prunes."""
    calibration_examples: Annotated[int, Field(ge=10, le=10_000)] = 200
    """Training examples from which int8 takes its activation ranges."""

    @model_validator(mode="after")
    def _no_scheme_twice(self) -> Self:
        for name in ("schemes", "pruned_schemes"):
            schemes = getattr(self, name)
            if len(set(schemes)) < len(schemes):
                raise ValueError(f"{name} names a scheme twice: {', '.join(schemes)}")
        return self

    def candidate_ids(self, *, pruned: bool) -> tuple[str, ...]:
        """Returns all candidates, the baseline first."""
        dense = [scheme for scheme in self.schemes if scheme != BASELINE_ID]
        extra = [candidate_id("pruned", scheme) for scheme in self.pruned_schemes]
        return (BASELINE_ID, *dense, *(extra if pruned else ()))

    def for_candidate(self, id_: str) -> CandidateConfig:
        pruned = id_.startswith("pruned-")
        scheme: Scheme = id_.removeprefix("pruned-")  # type: ignore[assignment]
        return CandidateConfig(
            source="pruned" if pruned else "dense",
            scheme=scheme,
            calibration_examples=self.calibration_examples if scheme == "int8" else 0,
        )
