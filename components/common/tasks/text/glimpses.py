"""A look at a text; see `tasks/glimpses.py`."""

from components.common.tasks.text.making import decode_text
from components.common.tasks.text.scripts import find_script
from components.common.tasks.text.settings import TextSettings
from components.common.tasks.told import Description, Glimpse, Shown

SIDES = "characters"

_SHOWN = 200


def glimpse(data: bytes, settings: TextSettings) -> Glimpse:
    """Returns the length of a text and its beginning."""
    text = decode_text(data)
    words = " ".join(text.split())
    shown = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
    return Glimpse("text", len(text), Shown(text=shown))


def describe(data: bytes, settings: TextSettings) -> Description:
    """Returns script and length of a text."""
    text = decode_text(data)
    return Description({"script": find_script(text)}, {"characters": len(text)})
