"""Which picture format a file is in, by its first bytes and by its name.

Both are known without decoding anything, and without loading what decodes it.
"""

import importlib.util
import posixpath
import re

HEAD_BYTES = 512
"""How many of a file's first bytes `sniff_format` wants to see."""

DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What preprocess reads wherever it runs, by Pillow's names."""

PLUGINS = {"AVIF": "PIL._avif", "HEIF": "pillow_heif", "JPEG XL": "pillow_jxl"}
"""Further formats -> what decodes them, where it is installed."""

EXTRA = "the extra `formats`"
"""What brings all of PLUGINS; wheels of Pillow itself have the first."""

_FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".avif": "AVIF",
    ".jxl": "JPEG XL",
}

# Sizes of the DIB header that follows; "BM" alone also begins words.
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF, as the next one.
    b"MM\0+": "TIFF",
    b"8BPS": "PSD",
    b"\0\0\1\0": "ICO",
    b"\0\0\2\0": "ICO",  # A cursor.
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
}
"""First bytes -> format."""

_BRANDS = {
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIF"
    ),
    **dict.fromkeys((b"mif1", b"msf1", b"mif2"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
"""Major brand of an ISO media file -> format; films have others."""

_PORTABLE_ANYMAP = re.compile(rb"P[1-7][ \t\r\n](?:[ \t\r\n]*#|[ \t\r\n]*\d|WIDTH )")
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:svg\b|(?:\?xml|!--|!DOCTYPE)[^\0]*<svg\b|!DOCTYPE svg\b)"
)


def is_decoded(kind: str) -> bool:
    """Tells whether pictures of a format can be read here."""
    if kind in PLUGINS:
        return importlib.util.find_spec(PLUGINS[kind]) is not None
    return kind in DECODED_FORMATS


def named_format(path: str) -> str | None:
    """Returns the picture format that a path's extension names, if it names one."""
    return _FORMAT_OF_SUFFIX.get(posixpath.splitext(path)[1].lower())


def sniff_format(head: bytes) -> str | None:
    """Returns the format that a file's first bytes announce, decoded here or not.

    Args:
      head: the first HEAD_BYTES bytes, fewer where the file is shorter.

    Returns:
      One of DECODED_FORMATS, the name of another picture format, or None for what is no
      picture.
    """
    for signature, found in _SIGNATURES.items():
        if head.startswith(signature):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if _PORTABLE_ANYMAP.match(head):
        return "PPM"
    return "SVG" if _SVG.match(head) else None
