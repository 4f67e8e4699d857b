"""The console: the one place where the command's tables, views and errors reach the terminal.

What is drawn is made of others' names and messages. They are taken as they are, not as markup, and
shown with whatever would steer the terminal written out.
"""

from collections.abc import Collection, Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from components.common.words.terminal import visible

_PLAIN_WIDTH = 120  # Of lines where there is no terminal to ask.


class _VisibleConsole(Console):
    """Draws others' texts; its own control sequences are segments of their own."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


def open_console(**options: Any) -> Console:
    """Returns the console that shows texts of any origin.

    Args:
      options: of rich's Console, such as `stderr`.
    """
    console = _VisibleConsole(markup=False, highlight=False, emoji=False, **options)
    if not console.is_terminal and "width" not in options:
        console.width = _PLAIN_WIDTH
    return console


def make_table(*headings: str, figures: Collection[str] = (), wraps: Collection[str] = ()) -> Table:
    """Returns an empty table, as all of the command's look.

    Args:
      headings: of the columns; no line of headings where all are empty.
      figures: the columns that hold numbers, which stand to the right.
      wraps: the columns whose cells may take several lines; the others stay whole.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.show_header = any(headings)
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in figures else "left",
            no_wrap=heading not in wraps,
            overflow="fold" if heading in wraps else "ellipsis",  # Paths have no spaces.
        )
    return table
