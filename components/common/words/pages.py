"""The look of the pages that people open in a browser: one style sheet, carried inside each."""

from pathlib import Path

LOOK = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
