"""What report is told."""

from typing import Annotated, ClassVar

from pydantic import Field

from components.common.config import StageConfig


class ReportConfig(StageConfig):
    """The recipe's `report` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"recipe"})

    thumbnails_per_class: Annotated[int, Field(ge=0, le=20)] = 4
    mistakes: Annotated[int, Field(ge=0, le=100)] = 24
    """How many examples that float gets right and the winner wrong are shown."""
    recipe: str = ""
    """The recipe's own text, shown at the end."""
