"""What a recipe says of how pictures become examples."""

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from components.common.config import Section
from components.common.documents.image import Fit
from components.common.tasks.image.preparation.spec import PictureSpec, Resizer

_PIXEL_BYTES = 8
"""Of the widest format that is read: PNG with four channels of 16 bits."""
_METADATA_BYTES = 16 << 20
"""What may stand in a file beside the picture: thumbnails, profiles, further frames."""


class PictureSettings(Section):
    """A part of the recipe's `data` section."""

    image_size: Annotated[int, Field(ge=8, le=2048)] = 224
    """Height and width of the examples, in pixels."""
    channels: Literal[1, 3] = 3
    fit: Fit = "crop"
    """How a picture that is not square becomes one."""
    background: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#ffffff"
    """What shows behind transparent pixels, and around padded pictures."""
    encoding: Literal["jpeg", "png"] = "jpeg"
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 95
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000
    """Pictures with more are rejected before they are decoded. Of a JPEG in one scan, as cameras
    write them, those count that are decoded: an eighth of its sides may be enough."""

    @property
    def max_file_bytes(self) -> int:
        """Returns how many bytes a picture's file may have: no format needs more for its pixels."""
        return _METADATA_BYTES + _PIXEL_BYTES * self.max_pixels

    def picture_spec(self) -> PictureSpec:
        """Returns what every picture becomes."""
        settings = {name: getattr(self, name) for name in PictureSettings.model_fields}
        return PictureSpec(**settings, resizer=_find_resizer())

    def identify(self, encoder: str) -> Mapping[str, str]:
        """Returns what says, beside these settings, what a picture becomes."""
        return {"resizer": _find_resizer()}

    def make_plan(self, encoder: str, training: Callable[[], Iterable[bytes]]) -> PictureSpec:
        """Returns what every picture becomes, whatever there is to train on."""
        return self.picture_spec()


def _find_resizer() -> Resizer:
    """Returns the faster that is installed here."""
    return "cykooz" if importlib.util.find_spec("cykooz_resizer") else "pillow"
