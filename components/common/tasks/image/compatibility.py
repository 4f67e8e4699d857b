"""Which parts of a recipe must agree, so that its backbone can take its pictures."""

from components.common.documents.bundle import BackboneName
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.preparation.settings import PictureSettings


def explain_misfit(backbone: BackboneName, data: PictureSettings) -> str | None:
    """Returns which of a recipe's values a backbone can't take, None where it takes them."""
    limits = BACKBONE_LIMITS[backbone]
    if data.image_size < limits.min_image_size:
        return (
            f"data.image_size: {data.image_size} is too small for the backbone {backbone}, which "
            f"takes {limits.min_image_size} or more"
        )
    if data.channels not in limits.channels:
        return (
            f"data.channels: {data.channels} does not fit the backbone {backbone}, which takes "
            f"{' or '.join(map(str, limits.channels))}"
        )
    return None
