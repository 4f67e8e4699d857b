"""What a source's files are, where they should be pictures; see `tasks/sources.py`."""

import functools
from collections.abc import Mapping

from components.common.documents.rejects import NoteKind, Reason
from components.common.tasks.image.preparation.formats import (
    DECODED_FORMATS,
    EXTRA,
    HEAD_BYTES,
    PLUGINS,
    is_decoded,
    named_format,
    sniff_format,
)

__all__ = [
    "EXAMPLES",
    "HEAD_BYTES",
    "RANGES",
    "SAME",
    "VALUES",
    "examine",
    "is_named",
    "remark",
    "trim",
]

EXAMPLES = "pictures"
SAME: tuple[NoteKind, str] = ("same_pixels", "same pixels")

VALUES: Mapping[str, tuple[str, ...]] = {
    "format": (*DECODED_FORMATS, *PLUGINS),
    "mode": (
        *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
        *("I", "F", "I;16", "I;16B", "I;16L", "I;16N", "other"),
    ),
}
"""Modes are Pillow's: https://pillow.readthedocs.io/en/stable/handbook/concepts.html#modes."""
RANGES: tuple[str, ...] = ("width", "height", "aspect", "brightness", "contrast", "range")


def is_named(path: str) -> bool:
    """Tells whether a path has a picture's extension."""
    return named_format(path) is not None


def trim(head: bytes) -> bytes:
    """Returns as many first bytes as tell a picture's format: all of them where it is text."""
    short = head[:_SIGNATURE_BYTES]
    return short if sniff_format(short) == sniff_format(head) else head


_SIGNATURE_BYTES = 18
"""As many as tell formats apart but SVG and the like."""

_sniff = functools.lru_cache(1024)(sniff_format)
"""A million pictures have a few first bytes among them."""


def examine(path: str, head: bytes) -> tuple[Reason, str] | None:
    """Returns why a file is no picture that is read, by its first bytes."""
    found = _sniff(head)
    if found is None:
        return "not_an_image", "its first bytes are no picture's"
    if is_decoded(found):
        return None
    if found in PLUGINS:
        how = f"{EXTRA} reads such: install requirements/formats.lock, as docs/install.md says"
        return "unsupported_format", f"is {found}; {how}"
    known = ", ".join((*DECODED_FORMATS, *PLUGINS))
    return "unsupported_format", f"is {found}; {known} are read"


def remark(path: str, head: bytes) -> tuple[NoteKind, str] | None:
    """Returns what is odd about a file that is decoded by what it holds, not by its name."""
    found, named = _sniff(head), named_format(path)
    if named is None or named == found:
        return None
    return "wrong_extension", f"is {found}, named like {named}"
