"""What notify is told."""

from typing import Annotated

from pydantic import Field

from components.common.config import StageConfig


class NotifyConfig(StageConfig):
    """The recipe's `notify` section."""

    webhook_variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """The environment variable that holds a webhook's address, which is a secret. The
    outcome is posted there as JSON with a `text` field, which chat services show."""
