"""What a source's files are, where they should be texts; see `tasks/sources.py`."""

from pathlib import PurePosixPath

from components.common.documents.rejects import NoteKind, Reason

EXAMPLES = "texts"
HEAD_BYTES = 4
SAME: tuple[NoteKind, str] = ("same_tokens", "same tokens")

_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""What begins a text in UTF-16 or UTF-32, and none in UTF-8."""


def is_named(path: str) -> bool:
    """Tells whether a path has a text's extension."""
    return PurePosixPath(path).suffix.lower() == ".txt"


def examine(path: str, head: bytes) -> tuple[Reason, str] | None:
    """Returns why a file is no text that is read, where its first bytes show it."""
    if head.startswith(_MARKS):
        return "unreadable", "is text in UTF-16 or UTF-32; save it as UTF-8"
    return None


def remark(path: str, head: bytes) -> tuple[NoteKind, str] | None:
    """Returns nothing: a text is taken as it is."""
    return None
