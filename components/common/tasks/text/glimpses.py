"""A look at a text; see `tasks/glimpses.py`."""

from components.common.tasks.text.making import decode_text
from components.common.tasks.told import Glimpse, Shown

SIDES = "characters"

_SHOWN = 200


def glimpse(data: bytes) -> Glimpse:
    """Returns the length of a text and its beginning."""
    text = decode_text(data)
    words = " ".join(text.split())
    shown = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
    return Glimpse("text", len(text), Shown(text=shown))
