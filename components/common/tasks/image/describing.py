"""What a manifest says of pictures that were made by a plan; see `tasks/describing.py`."""

from collections.abc import Mapping

from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.tasks.image.making import HISTOGRAM, NOT_SQUARE, SQUARES, SUMS
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
    (not_square,) = everything[NOT_SQUARE]
    counts = (training[name] for name in (SUMS, SQUARES, HISTOGRAM))
    return describe_pixels(*counts, not_square=not_square)
