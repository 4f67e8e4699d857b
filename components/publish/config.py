"""What publish is told."""

from components.common.config import StageConfig


class PublishConfig(StageConfig):
    """What publish needs to know of the recipe; there is no section for it."""

    model_name: str
    """The model's folder in the registry."""
    description: str = ""
    """For the model card."""
