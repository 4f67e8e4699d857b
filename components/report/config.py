"""What report is told."""

from typing import Annotated, ClassVar

from pydantic import Field

from components.common.config import Section, StageConfig


class DrawnBudgets(Section):
    """The recipe's budgets, as far as they can be drawn; None where not stated."""

    accuracy_drop: float | None = None
    min_accuracy: float | None = None
    size_bytes: int | None = None
    zipped_bytes: int | None = None
    latency_ms: float | None = None


class ReportConfig(StageConfig):
    """The recipe's `report` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"budgets", "recipe"})

    thumbnails_per_class: Annotated[int, Field(ge=0, le=20)] = 4
    mistakes: Annotated[int, Field(ge=0, le=100)] = 24
    """How many pictures that float gets right and the winner wrong are shown."""
    budgets: DrawnBudgets = DrawnBudgets()
    recipe: str = ""
    """The recipe's own text, shown at the end."""
