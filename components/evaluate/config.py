"""What evaluate is told."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.common.config import StageConfig


class EvaluateConfig(StageConfig):
    """The recipe's `evaluate` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"split"})

    split: Literal["validation", "test"] = "test"
    """On what to judge: candidates are ranked on validation, and proven on test alone."""
    calibration_bins: Annotated[int, Field(ge=2, le=100)] = 15
    """Of the expected calibration error (equal-width bins of the top probability)."""
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """For the intervals of macro F1, log loss and calibration error."""
    answered_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Asked of a model that may answer `unknown`: the lowest score is looked for of which the
    answers are so accurate on the validation split. Report and model card tell of some scores
    anyway."""
