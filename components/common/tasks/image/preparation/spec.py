"""What every picture becomes: plain values, which travel to workers and name shards."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

PictureNote = Literal["missing_end", "profile_ignored", "one_colour"]
"""What may be odd about a picture that is used."""

PictureProblem = Literal["oversized", "truncated", "unreadable"]
"""Why one can't be used."""

Resizer = Literal["pillow", "cykooz"]
"""What resizes pictures; see `resizing.py`."""


@dataclasses.dataclass(frozen=True, slots=True)
class PictureSpec:
    """What every picture becomes; the values are PictureSettings', and what is installed."""

    task: ClassVar[Literal["image"]] = "image"

    image_size: int
    channels: Literal[1, 3]
    fit: Literal["crop", "pad", "stretch"]
    background: str
    encoding: Literal["jpeg", "png"]
    jpeg_quality: int
    max_pixels: int
    resizer: Resizer = "pillow"
    """Of all machines that make the data set."""

    @property
    def mode(self) -> str:
        """Returns Pillow's name of the pixels."""
        return "L" if self.channels == 1 else "RGB"

    def named_by(self) -> Mapping[str, Any]:
        return dataclasses.asdict(self)


class PictureError(Exception):
    """A picture that can't be used; the message says why.

    Attributes:
      reason: what sort of why.
    """

    def __init__(self, reason: PictureProblem, detail: str):
        super().__init__(detail)
        self.reason: PictureProblem = reason
