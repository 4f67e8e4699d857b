"""Pictures made smaller or larger, by Pillow or by cykooz-resizer.

Resizing takes Pillow half of the time that a photograph costs. The other does the same, several
pixels in an instruction, with coefficients of 16 bits for Pillow's 22: of a photograph, one value
in a thousand differs by 1.
"""

import functools
import math
from typing import Any

from PIL import Image

from components.common.errors import UserError
from components.common.tasks.image.preparation.spec import Resizer

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

_REDUCED = 4
"""Times that a side becomes smaller, from which on Pillow first reduces a picture by whole numbers:
nothing is faster."""

_KEPT_BYTES = 16 << 20


def resize(picture: Image.Image, size: tuple[int, int], box: Box, *, by: Resizer) -> Image.Image:
    """Fits a part of a picture into a size, bilinearly.

    Where it becomes smaller, over all pixels that one of the result covers.

    Args:
      picture: of mode L or RGB.
      size: width and height of the result.
      box: of the picture, what becomes the result.
      by: what does it.

    Raises:
      UserError: that can't be loaded here.
    """
    left, top, right, bottom = box
    if by == "pillow" or right - left >= _REDUCED * size[0] or bottom - top >= _REDUCED * size[1]:
        return picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    # A pixel at the edge looks beyond the box, no farther than so many times that it is smaller.
    first_x, first_y = max(0, math.floor(left) - _REDUCED), max(0, math.floor(top) - _REDUCED)
    last_x, last_y = math.ceil(right) + _REDUCED, math.ceil(bottom) + _REDUCED
    part = picture.crop((first_x, first_y, min(picture.width, last_x), min(picture.height, last_y)))
    within = (left - first_x, top - first_y, right - first_x, bottom - first_y)
    return load_cykooz(picture.mode).resize(part, size, within)


class Cykooz:
    """cykooz-resizer, for pictures of one mode."""

    def __init__(self, module: Any, mode: str) -> None:
        self._module, self._resizer = module, module.Resizer()
        # Four bytes for a pixel, as Pillow holds it, are sooner copied and sooner resized.
        self._pixels = module.PixelType.U8 if mode == "L" else module.PixelType.U8x4
        self._layout = "L" if mode == "L" else "RGBX"
        self._bilinear = module.ResizeAlg.convolution(module.FilterType.bilinear)

    def resize(self, picture: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
        """Resizes rows and then columns, in Pillow's order: both at once rounds otherwise."""
        (width, height), (left, top, right, bottom) = size, box
        # As bytes: it would also work within Pillow's own memory, whose layout may change.
        pixels = picture.tobytes("raw", self._layout)
        source = self._module.ImageData(*picture.size, self._pixels, pixels)
        rows = self._module.ImageData(width, picture.height, self._pixels)
        self._fit(source, rows, (left, 0, right - left, picture.height))
        columns = self._module.ImageData(width, height, self._pixels)
        self._fit(rows, columns, (0, top, width, bottom - top))
        return Image.frombytes(picture.mode, size, columns.get_buffer(), "raw", self._layout)

    def _fit(self, source: Any, target: Any, crop: tuple[float, float, float, float]) -> None:
        """Resizes a part of the source, told by its left, top, width and height."""
        options = self._module.ResizeOptions(
            resize_alg=self._bilinear, crop_box=self._module.CropBox(*crop), use_alpha=False
        )
        self._resizer.resize(source, target, options)


@functools.cache
def load_cykooz(mode: str) -> Cykooz:
    """Returns what resizes pictures of a mode, loaded once in a process.

    Raises:
      UserError: it can't be loaded here.
    """
    try:
        import cykooz_resizer
    except ImportError as error:
        raise UserError(
            f"pictures are to be resized by cykooz-resizer, which can't be loaded here ({error}): "
            "install it on every worker, or on none"
        ) from error
    # glibc learns from what is freed how much to keep: else each picture's memory would go back to
    # the system and come again, page by page, which takes as long as decoding.
    bytearray(_KEPT_BYTES)
    return Cykooz(cykooz_resizer, mode)
