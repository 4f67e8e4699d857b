"""What README, docs and messages show: their blocks, and the commands that they name."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:litesmith|make) [^`]+)`")
_LINE = re.compile(
    r"^[#\s]*(?:- )?(?:run: )?(?:(?:litesmith/)?\.venv/bin/)?((?:litesmith|make) [^\n]*)",
    re.MULTILINE,
)


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Yields a page's fenced blocks of these languages."""
    for indent, language, text in _FENCED.findall(page.read_text()):
        if language in languages:
            yield textwrap.dedent(indent + text)


def typed(path: Path) -> Iterator[str]:
    """Yields the commands that a file shows on lines of their own, to be typed as they stand."""
    texts = [path.read_text()]
    if path.suffix == ".md":
        texts = list(blocks(path, "", "sh"))
    elif path.suffix == ".py":
        texts = []
    for text in texts:
        yield from _LINE.findall(text.replace("\\\n", " "))


def mentioned(path: Path) -> Iterator[str]:
    """Yields the commands that a file names in its text; a table's alternatives one by one."""
    joined = re.sub(r'"\s*\n\s*f?"', "", path.read_text())  # A message over several lines.
    for text in _INLINE.findall(joined):
        first, *others = re.split(r"\s*\\?\|\s*", " ".join(text.split()))
        yield first
        for other in others:
            yield f"{first.rpartition(' ')[0]} {other}"
