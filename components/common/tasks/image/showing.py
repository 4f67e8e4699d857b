"""Pictures as a report shows them."""

from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.tasks.image.features import Example
from components.common.tasks.image.thumbnails import picture_address
from components.common.tasks.image.words import describe_pictures, fit_in_words, is_coarse
from components.common.tasks.told import DataTold, Histogram, Shown

_LARGE, _SMALL = 128, 64
"""Larger pictures are shrunk to so many pixels."""


def tell_data(image: ImageSpec, statistics: PixelStatistics) -> DataTold:
    """Returns what there is to tell of a data set's pictures."""
    remark = ""
    if count := statistics.not_square:
        remark = f"{count:,} were not square, and are {fit_in_words(image)} (fit: {image.fit})."
    return DataTold(
        noun="picture",
        described=describe_pictures(image),
        remark=remark,
        counted="Pixels",
        histogram=Histogram(
            "Pixels by intensity", statistics.histogram, 256, (0, 64, 128, 192, 255)
        ),
        figures=(("Mean", statistics.mean), ("standard deviation", statistics.std)),
        coarse=is_coarse(image),
    )


def show_example(example: Example, image: ImageSpec, *, large: bool) -> Shown:
    """Returns a picture as a data: address, small enough to carry inside the page."""
    side = _LARGE if large else _SMALL
    return Shown(address=picture_address(example.image, image, side=side))
