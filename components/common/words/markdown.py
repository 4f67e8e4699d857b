"""Others' words within Markdown: shown as text, in a paragraph, a list or a table."""

import re
from collections.abc import Iterable, Iterator, Sequence

from components.common.words.terminal import visible


def escape_markdown(text: str) -> str:
    """Returns a text as one line of Markdown that shows it: no markup but `code`, no HTML.

    Code spans may stay, as sentences have some: what is within them is shown as it is anyway.
    """
    # Else a heading, a list, a rule.
    return re.sub(r"^(?=[#+\-=~>])", r"\\", _escape_within(text))


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; its cells show whatever text they are given, as `escape_markdown` does."""
    return "\n".join(_table_lines(headings, rows))


def _table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(map(_escape_within, row))} |"


def _escape_within(text: str) -> str:
    """Returns a text for where no line begins."""
    line = visible(" ".join(text.split()))
    line = line.replace("\\", "\\\\").replace("|", "\\|")
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\](?=[(\[:])", r"\\]", line)  # Else a link, a picture, or where one leads.
