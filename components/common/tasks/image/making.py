"""A shard's pictures: decoded, fitted, encoded and counted; see `tasks/making.py`."""

import hashlib

from components.common.tasks.image.features import Example, decode_example, encode_example
from components.common.tasks.image.preparation.pictures import encode_picture, prepare_picture
from components.common.tasks.image.preparation.resizing import load_cykooz
from components.common.tasks.image.preparation.spec import PictureError, PictureSpec
from components.common.tasks.image.sketches import sketch_picture
from components.common.tasks.image.statistics import BINS, count_intensities, sum_intensities
from components.common.tasks.made import Made, Unusable

__all__ = [
    "HISTOGRAM",
    "NOT_SQUARE",
    "SQUARES",
    "SUMS",
    "decode_example",
    "encode_example",
    "open_maker",
]

NOT_SQUARE, SUMS, SQUARES, HISTOGRAM = "not_square", "sums", "squares", "histogram"


class _PictureMaker:
    """Makes examples of pictures."""

    def __init__(self, plan: PictureSpec, *, with_statistics: bool) -> None:
        self._plan, self._with_statistics = plan, with_statistics
        # What is always counted comes first: the rest may be left out.
        self.widths = {
            NOT_SQUARE: 1,
            SUMS: plan.channels,
            SQUARES: plan.channels,
            HISTOGRAM: BINS,
        }

    def make(self, data: bytes, *, id: str, label: int, slice: str) -> Made:
        try:
            picture = prepare_picture(data, self._plan)
        except PictureError as error:
            raise Unusable(error.reason, str(error)) from error
        intensities = count_intensities(picture.image)
        counts = [int(not picture.is_square)]
        if self._with_statistics:
            counts += sum_intensities(intensities)
        image = encode_picture(picture.image, self._plan)
        return Made(
            record=encode_example(Example(id=id, image=image, label=label, slice=slice)),
            digest=hashlib.sha256(image).hexdigest(),
            counts=counts,
            sketch=sketch_picture(
                picture.image, intensities, picture.size, kind=picture.kind, mode=picture.mode
            ),
            notes=picture.notes,
        )


def open_maker(plan: PictureSpec, *, with_statistics: bool) -> _PictureMaker:
    """Returns what makes pictures into the examples of a shard.

    Raises:
      UserError: what resizes them can't be loaded here.
    """
    if plan.resizer == "cykooz":
        load_cykooz(plan.mode)
    return _PictureMaker(plan, with_statistics=with_statistics)
