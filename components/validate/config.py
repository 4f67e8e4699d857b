"""What validate is told: which findings warn and which stop the run."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.common.config import StageConfig

Action = Literal["ignore", "warn", "stop"]


class ValidateConfig(StageConfig):
    """The recipe's `validate` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"model_name"})

    min_examples_per_class: Annotated[int, Field(ge=1)] = 10
    """In the training split."""
    too_few_examples: Action = "warn"
    missing_class: Action = "stop"
    """A class without an example in some split."""
    duplicates_across_splits: Action = "stop"
    max_label_shift: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Total variation distance between class shares here and in the blessed run."""
    label_shift: Action = "warn"
    max_pixel_shift: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Total variation distance between intensity histograms here and in the blessed run."""
    pixel_shift: Action = "warn"
    changed_classes: Action = "warn"
    """Class names differ from the blessed run's."""
    min_test_examples: Annotated[int, Field(ge=1)] = 1
    """Fewer always stop the run. The recipe raises it to what its budgets need."""
    model_name: str = ""
    """The registry's name of the model."""
