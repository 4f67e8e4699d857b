"""A shard's pictures: decoded, fitted, encoded and counted; see `tasks/making.py`."""

import hashlib

from components.common.tasks.image.features import Example, encode_example
from components.common.tasks.image.preparation.pictures import (
    PictureError,
    encode_picture,
    no_counts,
    prepare_picture,
)
from components.common.tasks.image.preparation.spec import PictureSpec
from components.common.tasks.made import Counts, Made, Unusable

NOT_SQUARE, HISTOGRAM = "not_square", "histogram"


class _PictureMaker:
    """Makes the examples of one shard."""

    def __init__(self, plan: PictureSpec, *, with_statistics: bool) -> None:
        self._plan, self._with_statistics = plan, with_statistics
        self._histogram = no_counts(plan)
        self._not_square = 0

    def make(self, data: bytes, *, id: str, label: int, slice: str) -> Made:
        try:
            picture = prepare_picture(data, self._plan)
        except PictureError as error:
            raise Unusable(error.reason, str(error)) from error
        if self._with_statistics:
            self._histogram += picture.histogram()
        self._not_square += not picture.is_square
        image = encode_picture(picture.image, self._plan)
        return Made(
            record=encode_example(Example(id=id, image=image, label=label, slice=slice)),
            digest=hashlib.sha256(image).hexdigest(),
            notes=picture.notes,
        )

    def counts(self) -> Counts:
        channels = self._histogram.tolist()
        return {
            NOT_SQUARE: (self._not_square,),
            **{f"{HISTOGRAM} {index}": tuple(own) for index, own in enumerate(channels)},
        }


def open_maker(plan: PictureSpec, *, with_statistics: bool) -> _PictureMaker:
    """Returns what makes pictures into the examples of a shard."""
    return _PictureMaker(plan, with_statistics=with_statistics)
