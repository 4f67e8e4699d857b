"""Pictures of any sort become pictures of one sort: size, channels, encoding.

A picture is opened by the format that its bytes announce, bounded before it is decoded,
turned upright, brought to sRGB, composed on the background where it is transparent, fitted,
and encoded once. The same bytes always give the same bytes.
"""

import dataclasses
import io
import math
import warnings
import zlib
from typing import NamedTuple

from PIL import (
    ExifTags,
    GifImagePlugin,
    Image,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from components.common.errors import UserError
from components.common.tasks.image.preparation import jpeg, jpegxl
from components.common.tasks.image.preparation.bitmaps import RunLengthDecoder
from components.common.tasks.image.preparation.depth import (
    check_samples,
    scale_deep,
    scale_transparency,
)
from components.common.tasks.image.preparation.formats import (
    EXTRA,
    HEAD_BYTES,
    is_decoded,
    sniff_format,
)
from components.common.tasks.image.preparation.profiles import (
    Conversion,
    ProfileError,
    conversion_to_srgb,
)
from components.common.tasks.image.preparation.resizing import resize
from components.common.tasks.image.preparation.spec import PictureError, PictureNote, PictureSpec

# Image.open then finds every decoder without searching for all plugins there are.
_PLUGINS = (GifImagePlugin, TiffImagePlugin, WebPImagePlugin, RunLengthDecoder)

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
_ON_ITS_SIDE = (5, 6, 7, 8)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_BITS = 24  # Where a PNG file says how many bits a sample has.
_ANCILLARY = 0x20  # Of a PNG chunk's first letter: a decoder can do without it.

_PASSES = 20
"""How often a decoder may go over max_pixels pixels: each pass takes a nanosecond a pixel."""
_SQUARE = 1.05
"""Pictures whose longer side has no more than so many of the shorter one look square."""


class Described(NamedTuple):
    """What a picture's header says of it."""

    kind: str
    mode: str
    size: tuple[int, int]
    """These are as a Picture's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was made what the spec says."""

    image: Image.Image
    """Of mode `spec.mode`, image_size high and wide."""
    size: tuple[int, int]
    """Its width and height before, once it is upright."""
    kind: str
    """Its format."""
    mode: str
    """Pillow's name of the channels that its file has."""
    notes: tuple[tuple[PictureNote, str], ...] = ()
    """What was odd about it, and how."""

    @property
    def is_square(self) -> bool:
        """Tells whether it was about as high as wide before."""
        return max(self.size) <= _SQUARE * min(self.size)


def measure_picture(data: bytes) -> tuple[str, tuple[int, int]]:
    """Returns a picture's format, and its width and height, without decoding it.

    Raises:
      PictureError: it is of no format that is read, or its header is damaged.
    """
    kind = _find_kind(data)
    try:
        if kind == "JPEG XL":
            return kind, jpegxl.measure(data)
        with _open(data, kind) as picture:
            return kind, picture.size
    except Exception as error:
        raise PictureError("unreadable", f"the {kind} file's header is damaged") from error


def describe_picture(data: bytes, spec: PictureSpec) -> Described:
    """Returns what a picture is, as `prepare_picture` would find it, from its header.

    Of JPEG XL there is no header alone: such a picture is decoded, within the spec's bound.

    Raises:
      PictureError: it is of no format that is read, larger than the spec allows, or its header is
        damaged.
    """
    kind = _find_kind(data)
    try:
        if kind == "JPEG XL":
            _check_size(jpegxl.measure(data), spec)
        with _open(data, kind) as picture:
            if not _may_be_large(data, kind, picture, spec):
                _check_size(picture.size, spec)
            orientation = _orientation(picture, kind)
            return Described(kind, picture.mode, _upright(picture.size, orientation))
    except PictureError:
        raise
    except Exception as error:
        raise PictureError("unreadable", f"the {kind} file's header is damaged") from error


def prepare_picture(data: bytes, spec: PictureSpec) -> Picture:
    """Decodes a picture and makes it what the spec says.

    Args:
      data: a file's bytes, of a format that is read here; its first frame is taken.
      spec: what to make of it.

    Raises:
      PictureError: decoding it would take more than max_pixels allows (then nothing was
        decoded), the file ends within the picture, or it can't be decoded for another
        reason.
      UserError: what decodes its format is not installed here, though it is where it was listed.
    """
    kind = _find_kind(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of odd metadata, which is left behind anyway.
            return _decode(data, kind, spec)
    except (PictureError, MemoryError, UserError):
        raise
    except Exception as error:  # Damaged files make the decoders raise nearly anything.
        if "truncated" not in str(error).lower():
            raise PictureError(
                "unreadable", f"the {kind} file can't be decoded: {_in_words(error)}"
            ) from error
        if kind == "JPEG" and _lacks_only_its_end(data, spec):
            note: tuple[PictureNote, str] = ("missing_end", "the JPEG file lacks its end marker")
            mended = prepare_picture(data.rstrip(b"\xff") + jpeg.END, spec)
            return dataclasses.replace(mended, notes=(note, *mended.notes))
        raise PictureError("truncated", _TRUNCATED.format(kind)) from error


_TRUNCATED = "the {} file ends before the picture does"
_WORDS = 120  # Characters of a decoder's message that are kept.


def _in_words(error: Exception) -> str:
    """Returns what a decoder said, less what differs from one time to the next."""
    if isinstance(error, UnidentifiedImageError):  # Its message has an address in memory.
        return "the header is damaged"
    text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
    return (text or type(error).__name__)[:_WORDS]


def _decode(data: bytes, kind: str, spec: PictureSpec) -> Picture:
    if kind == "WEBP" and len(data) < int.from_bytes(data[4:8], "little") + 8:
        raise PictureError("truncated", _TRUNCATED.format(kind))
    if kind == "PNG":
        _check_png(data)
    if kind == "JPEG XL":
        _check_size(jpegxl.measure(data), spec)  # It is decoded as it is opened.
    with _open(data, kind) as picture:
        size, mode = picture.size, picture.mode
        if not _may_be_large(data, kind, picture, spec):
            _check_size(picture.size, spec)
        if kind == "JPEG":
            _check_scans(data, picture, spec)
        conversion, notes = _conversion(picture)
        if kind == "JPEG":  # Of others, a draft may be the thumbnail that somebody put beside it.
            # The profile speaks of colours, which a JPEG file decoded as grey has lost.
            _shrink_while_decoding(picture, spec, mode="RGB" if conversion else spec.mode)
            _check_size(picture.size, spec)
        picture.load()
        if kind == "PNG":
            scale_transparency(picture, bits=data[_PNG_BITS])
        if kind == "TIFF":
            check_samples(picture)
        orientation = _orientation(picture, kind)
        fitted = _fit(picture, spec, conversion, orientation)
    if colour := _only_colour(fitted):
        notes = (*notes, ("one_colour", f"is {colour} all over once it is fitted"))
    return Picture(fitted, _upright(size, orientation), kind, mode, notes)


def _upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    width, height = size
    return (height, width) if orientation in _ON_ITS_SIDE else (width, height)


def _find_kind(data: bytes) -> str:
    kind = sniff_format(data[:HEAD_BYTES])
    if kind is None:
        raise PictureError("unreadable", "its first bytes are no picture's")
    if not is_decoded(kind):
        raise UserError(
            f"a picture is {kind}, which {EXTRA} reads: install it on every worker, or on none"
        )
    return kind


def _open(data: bytes, kind: str) -> Image.Image:
    """Opens a picture by the decoder of its format alone."""
    if kind == "AVIF":
        from PIL import AvifImagePlugin  # noqa: F401  # Not all builds have it.
    elif kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif kind == "JPEG XL":
        import pillow_jxl  # noqa: F401  # It registers itself.

        kind = "JXL"
    return Image.open(io.BytesIO(data), formats=(kind,))


def _lacks_only_its_end(data: bytes, spec: PictureSpec) -> bool:
    try:
        with _open(data, "JPEG") as picture:
            _check_size(picture.size, spec)  # It is decoded whole.
        return jpeg.lacks_only_its_end(data, _decode_pixels)
    except Exception:  # It is damaged in another way, too.
        return False


def _decode_pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        return picture.tobytes()


def encode_picture(picture: Image.Image, spec: PictureSpec) -> bytes:
    """Encodes a prepared picture; nothing but the pixels goes into the file."""
    buffer = io.BytesIO()
    picture.info.clear()
    if spec.encoding == "jpeg":
        picture.save(buffer, "JPEG", quality=spec.jpeg_quality)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _may_be_large(data: bytes, kind: str, picture: Image.Image, spec: PictureSpec) -> bool:
    """Tells whether a picture counts by what is decoded of it; of most, a look at the size does."""
    too_large = picture.width * picture.height > spec.max_pixels
    return too_large and kind == "JPEG" and jpeg.decodes_row_by_row(data)


def _check_size(size: tuple[int, int], spec: PictureSpec) -> None:
    width, height = size
    if width * height > spec.max_pixels:
        raise PictureError(
            "oversized",
            f"has {width}x{height} = {width * height} pixels; max_pixels allows {spec.max_pixels}",
        )


def _check_scans(data: bytes, picture: Image.Image, spec: PictureSpec) -> None:
    pixels = picture.width * picture.height
    # Bytes like a scan's marker are no fewer than scans, and sooner counted.
    if pixels * data.count(jpeg.START_OF_SCAN) <= _PASSES * spec.max_pixels:
        return
    scans = jpeg.count_scans(data)
    if pixels * scans > _PASSES * spec.max_pixels:
        raise PictureError(
            "oversized",
            f"has {picture.width}x{picture.height} pixels in {scans} scans; max_pixels allows "
            f"{spec.max_pixels} pixels in {_PASSES} scans",
        )


def _check_png(data: bytes) -> None:
    """Compares the checksums of all chunks that a decoder needs, as Pillow does of some.

    Raises:
      PictureError: one differs. What is cut short is left to the decoder.
    """
    position, view = len(_PNG_SIGNATURE), memoryview(data)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        kind = bytes(view[position + 4 : position + 8])
        end = position + 8 + length
        if end + 4 > len(data):
            return
        checksum = int.from_bytes(view[end : end + 4], "big")
        if not kind[0] & _ANCILLARY and zlib.crc32(view[position + 4 : end]) != checksum:
            name = kind.decode("latin-1")
            raise PictureError("unreadable", f"the PNG file is damaged: wrong checksum in {name!r}")
        if kind == b"IEND":
            return
        position = end + 4


def _conversion(
    picture: Image.Image,
) -> tuple[Conversion | None, tuple[tuple[PictureNote, str], ...]]:
    """Returns what brings the picture to sRGB, if anything, and what is odd about its profile."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return None, ()
    try:
        return conversion_to_srgb(profile, picture.mode), ()
    except ProfileError as error:
        return None, (("profile_ignored", str(error)),)


def _shrink_while_decoding(picture: Image.Image, spec: PictureSpec, *, mode: str) -> None:
    """Lets libjpeg decode to a half, a quarter or an eighth, where that is still enough."""
    longest, shortest = max(picture.size), min(picture.size)
    factor = spec.image_size / (longest if spec.fit == "pad" else shortest)
    needed = tuple(max(1, math.ceil(side * min(1, factor))) for side in picture.size)
    picture.draft(mode, (needed[0], needed[1]))


def _fit(
    picture: Image.Image, spec: PictureSpec, conversion: Conversion | None, orientation: int
) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        picture = scale_deep(picture)
    if conversion and (
        picture.mode != "RGB" or spec.mode != "RGB" or picture.has_transparency_data
    ):
        picture, conversion = conversion.apply(picture), None
    resized = _resize(_flatten(picture, spec), spec)
    if conversion:  # A pixel costs it ten times what it costs to be resized.
        resized = conversion.apply(resized)
    return _pad(_turn(resized, orientation), spec)


def _flatten(picture: Image.Image, spec: PictureSpec) -> Image.Image:
    """Returns the picture in the spec's mode, on the background where it was transparent."""
    if picture.has_transparency_data:
        background = Image.new("RGBA", picture.size, spec.background)
        return Image.alpha_composite(background, picture.convert("RGBA")).convert(spec.mode)
    return picture if picture.mode == spec.mode else picture.convert(spec.mode)


def _only_colour(picture: Image.Image) -> str | None:
    """Returns the colour of a picture that has one alone, such as `#ffffff`."""
    middle = picture.width // 2
    if picture.getpixel((0, 0)) != picture.getpixel((middle, middle)):
        return None  # As nearly all, without a look at the rest.
    if picture.convert("RGB").getcolors(maxcolors=1) is None:
        return None
    return "#" + picture.convert("RGB").crop((0, 0, 1, 1)).tobytes().hex()


def _orientation(picture: Image.Image, kind: str) -> int:
    if kind == "JPEG XL":
        return 1  # Its decoder turns it, by what the picture itself says: EXIF is a copy.
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Damaged EXIF is common, and no reason to lose the picture.
        return 1


def _resize(picture: Image.Image, spec: PictureSpec) -> Image.Image:
    """Brings the longer or the shorter side to the spec's, or both."""
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
    return resize(picture, size, box, by=spec.resizer)


def _turn(picture: Image.Image, orientation: int) -> Image.Image:
    """Turns a picture upright: when it is small, since squares fit turned or not."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _pad(picture: Image.Image, spec: PictureSpec) -> Image.Image:
    side = spec.image_size
    if picture.size == (side, side):
        return picture
    padded = Image.new(spec.mode, (side, side), spec.background)
    padded.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return padded
