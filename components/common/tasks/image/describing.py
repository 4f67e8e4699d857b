"""What a manifest says of pictures that were made by a plan; see `tasks/describing.py`."""

from collections.abc import Mapping

from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.tasks.image.making import HISTOGRAM, NOT_SQUARE
from components.common.tasks.image.preparation.spec import PictureSpec
from components.common.tasks.image.statistics import UNCOUNTED, describe_pixels
from components.common.tasks.made import Counts


def spec_of(plan: PictureSpec) -> ImageSpec:
    """Returns how pictures lie in the examples."""
    return ImageSpec(
        height=plan.image_size,
        width=plan.image_size,
        channels=plan.channels,
        encoding=plan.encoding,
        fit=plan.fit,
        background=plan.background,
    )


def files_of(plan: PictureSpec) -> Mapping[str, bytes]:
    """Returns nothing: a picture is all in its example."""
    return {}


def describe(plan: PictureSpec, training: Counts, everything: Counts) -> PixelStatistics:
    """Returns the statistics of the pixels, and how many pictures were not square."""
    if not training:
        return UNCOUNTED
    histogram = [training[f"{HISTOGRAM} {channel}"] for channel in range(plan.channels)]
    (not_square,) = everything[NOT_SQUARE]
    return describe_pixels([histogram], not_square=not_square)
