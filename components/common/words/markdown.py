"""Others' words within Markdown: shown as text, in a paragraph, a list or a table."""

import re

from components.common.words.terminal import visible


def escape_markdown(text: str) -> str:
    """Returns a text as one line of Markdown that shows it: no markup but `code`, no HTML.

    Code spans may stay, as sentences have some: what is within them is shown as it is anyway.
    """
    line = visible(" ".join(text.split()))
    line = line.replace("\\", "\\\\").replace("|", "\\|")
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    line = re.sub(r"\](?=[(\[:])", r"\\]", line)  # Else a link, a picture, or where one leads.
    return re.sub(r"^(?=[#+\-=~>])", r"\\", line)  # Else a heading, a list, a rule.
