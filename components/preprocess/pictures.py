"""Pictures of any sort become pictures of one sort: size, channels, encoding.

A picture is opened by the format that its bytes announce, bounded before it is decoded,
turned upright, composed on the background where it is transparent, fitted, and encoded
once. The same bytes always give the same bytes.
"""

import dataclasses
import io
import math
import warnings
from typing import Literal

import numpy as np
from PIL import ExifTags, GifImagePlugin, Image, WebPImagePlugin

from components.preprocess.formats import DECODED_FORMATS, HEAD_BYTES, sniff_format

# Image.open then finds every decoder without searching for all plugins there are.
_PLUGINS = (GifImagePlugin, WebPImagePlugin)

# The bound is PictureSpec.max_pixels; Pillow's own one would warn first.
Image.MAX_IMAGE_PIXELS = None

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the picture upright."""


@dataclasses.dataclass(frozen=True, slots=True)
class PictureSpec:
    """What every picture becomes; the values are PreprocessConfig's."""

    image_size: int
    channels: Literal[1, 3]
    fit: Literal["crop", "pad", "stretch"]
    background: str
    encoding: Literal["jpeg", "png"]
    jpeg_quality: int
    max_pixels: int

    @property
    def mode(self) -> str:
        """Returns Pillow's name of the pixels."""
        return "L" if self.channels == 1 else "RGB"


class PictureError(Exception):
    """A picture that can't be used; the message says why.

    Attributes:
      reason: what sort of why.
    """

    def __init__(self, reason: Literal["oversized", "truncated", "unreadable"], detail: str):
        super().__init__(detail)
        self.reason: Literal["oversized", "truncated", "unreadable"] = reason


def prepare_picture(data: bytes, spec: PictureSpec) -> Image.Image:
    """Decodes a picture and makes it what the spec says.

    Args:
      data: a file's bytes: JPEG, PNG, WebP, BMP or GIF, of which the first frame is taken.
      spec: what to make of it.

    Returns:
      A picture of mode `spec.mode`, image_size high and wide.

    Raises:
      PictureError: it has more than max_pixels pixels (then nothing was decoded), the file
        ends within the picture, or it can't be decoded for another reason.
    """
    kind = sniff_format(data[:HEAD_BYTES])
    if kind not in DECODED_FORMATS:
        raise PictureError("unreadable", "its first bytes are no picture's")
    if kind == "WEBP" and len(data) < int.from_bytes(data[4:8], "little") + 8:
        raise PictureError("truncated", f"the {kind} file ends before the picture does")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of odd metadata, which is left behind anyway.
            with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
                _check_size(picture, spec)
                _shrink_while_decoding(picture, spec)
                picture.load()
                return _fit(_flatten(picture, spec), spec, _orientation(picture))
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # Damaged files make the decoders raise nearly anything.
        if "truncated" in str(error).lower():
            raise PictureError(
                "truncated", f"the {kind} file ends before the picture does"
            ) from error
        raise PictureError("unreadable", f"the {kind} file can't be decoded") from error


def encode_picture(picture: Image.Image, spec: PictureSpec) -> bytes:
    """Encodes a prepared picture; nothing but the pixels goes into the file."""
    buffer = io.BytesIO()
    picture.info.clear()
    if spec.encoding == "jpeg":
        picture.save(buffer, "JPEG", quality=spec.jpeg_quality)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _check_size(picture: Image.Image, spec: PictureSpec) -> None:
    pixels = picture.width * picture.height
    if pixels > spec.max_pixels:
        raise PictureError(
            "oversized",
            f"has {picture.width}x{picture.height} = {pixels} pixels; "
            f"max_pixels allows {spec.max_pixels}",
        )


def _shrink_while_decoding(picture: Image.Image, spec: PictureSpec) -> None:
    """Lets libjpeg decode to a half, a quarter or an eighth, where that is still enough."""
    longest, shortest = max(picture.size), min(picture.size)
    factor = spec.image_size / (longest if spec.fit == "pad" else shortest)
    needed = tuple(max(1, math.ceil(side * min(1, factor))) for side in picture.size)
    picture.draft(spec.mode, (needed[0], needed[1]))


def _flatten(picture: Image.Image, spec: PictureSpec) -> Image.Image:
    """Returns the picture in the spec's mode, on the background where it was transparent."""
    if picture.mode.startswith("I"):
        return _scale_16_bit(picture).convert(spec.mode)
    if picture.has_transparency_data:
        background = Image.new("RGBA", picture.size, spec.background)
        return Image.alpha_composite(background, picture.convert("RGBA")).convert(spec.mode)
    return picture if picture.mode == spec.mode else picture.convert(spec.mode)


def _scale_16_bit(picture: Image.Image) -> Image.Image:
    """Scales [0, 65535] to [0, 255]; Pillow's own conversion would clip instead."""
    values = np.asarray(picture).astype(np.uint32)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Damaged EXIF is common, and no reason to lose the picture.
        return 1


def _fit(picture: Image.Image, spec: PictureSpec, orientation: int) -> Image.Image:
    """Resizes and turns a picture; turned when small, since squares fit turned or not."""
    width, height = picture.size
    side, box = spec.image_size, (0.0, 0.0, float(width), float(height))
    size = (side, side)
    if spec.fit == "crop":
        margin_x = (width - min(width, height)) / 2
        margin_y = (height - min(width, height)) / 2
        box = (margin_x, margin_y, width - margin_x, height - margin_y)
    elif spec.fit == "pad":
        scale = side / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    if orientation in _TURNS:
        fitted = fitted.transpose(_TURNS[orientation])
    if fitted.size == (side, side):
        return fitted
    padded = Image.new(spec.mode, (side, side), spec.background)
    padded.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
    return padded
