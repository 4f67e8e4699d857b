"""Which texts may name something: a class, a slice, a path.

A class's name is a line of `labels.txt` on a device, and what people read in a report. So
it holds nothing that breaks a line, and nothing that can't be seen.
"""

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories: control and format characters (zero-width and bidirectional ones),
lone surrogates, line and paragraph separators."""


def find_unseen(name: str) -> str | None:
    """Returns a character that a name may not hold, as `U+000A`; None where all may stand.

    A space is seen between others, and not alone.
    """
    if name.isspace():
        return _code(name[0])
    if name.isascii() and name.isprintable():
        return None
    return next((_code(char) for char in name if unicodedata.category(char) in _UNSEEN), None)


def find_unusable(text: str) -> str | None:
    """Returns a character that no path or other value may hold: NUL, or half a character."""
    if "\0" in text:
        return _code("\0")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return _code(text[error.start])
    return None


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"
