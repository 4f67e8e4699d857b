"""What a source's files are, where they should be texts; see `tasks/sources.py`."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from components.common.documents.rejects import NoteKind, Reason

EXAMPLES = "texts"
HEAD_BYTES = 18  # As many as tell what is no text at all.
SAME: tuple[NoteKind, str] = ("same_tokens", "same tokens")

VALUES: Mapping[str, tuple[str, ...]] = {
    "script": (
        *("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC", "ETHIOPIC"),
        *("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
        *("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA"),
        *("MALAYALAM", "SINHALA", "other", "none"),
    )
}
"""Scripts as Unicode's names of letters begin; none is a text without letters."""
RANGES: tuple[str, ...] = ("characters", "unknown")

_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""What begins a text in UTF-16 or UTF-32, and none in UTF-8."""


def is_named(path: str) -> bool:
    """Tells whether a path has a text's extension."""
    return PurePosixPath(path).suffix.lower() == ".txt"


def trim(head: bytes) -> bytes:
    """Returns all of them: they are few."""
    return head


def examine(path: str, head: bytes) -> tuple[Reason, str] | None:
    """Returns why a file is no text that is read, where its first bytes show it."""
    if head.startswith(_MARKS):
        return "unreadable", "is text in UTF-16 or UTF-32; save it as UTF-8"
    return None


def remark(path: str, head: bytes) -> tuple[NoteKind, str] | None:
    """Returns nothing: a text is taken as it is."""
    return None
