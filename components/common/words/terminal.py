"""What is printed for people to read, in a terminal or in a log.

Names, messages and logs are often somebody else's, and a terminal obeys what they hold: escape
sequences that wipe a line, retitle the window or colour a failure green, marks that turn a text
around. So all text goes out through `visible`: `say` prints a line, and the command's console,
which lays out tables, does the same with what it draws.
"""

import re
import sys
from typing import TextIO

# Control characters but for line feed and tab; what sets a text's direction or parts its lines;
# half a surrogate pair, which no encoding can write; and what no XML can hold.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Returns a text with all that would steer a terminal written out: `\u001b` for escape."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def say(text: str, *, to: TextIO | None = None, end: str = "\n") -> None:
    """Prints a text, at once.

    Args:
      text: of any origin.
      to: where; stdout where nothing is named.
      end: what follows it.
    """
    stream = to if to is not None else sys.stdout
    stream.write(visible(text) + end)
    stream.flush()
