"""Which picture format a file is in, by its first bytes and by its name.

Both are known without decoding anything, and without Pillow.
"""

from pathlib import PurePosixPath

HEAD_BYTES = 32
"""How many of a file's first bytes `sniff_format` wants to see."""

DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""What preprocess reads, by Pillow's names."""

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
    ".avif": "HEIF",
}

# Sizes of the DIB header that follows; "BM" alone also begins words.
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)


def named_format(path: str) -> str | None:
    """Returns the picture format that a path's extension names, if it names one."""
    return _FORMAT_OF_SUFFIX.get(PurePosixPath(path).suffix.lower())


def sniff_format(head: bytes) -> str | None:
    """Returns the format that a file's first bytes announce, decoded here or not.

    Args:
      head: the first HEAD_BYTES bytes, fewer where the file is shorter.

    Returns:
      One of DECODED_FORMATS, `TIFF`, `HEIF`, or None for what is no picture.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "HEIF"
    return None
