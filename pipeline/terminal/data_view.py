"""A source in the terminal: what `data inspect` prints."""

from collections.abc import Callable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.common.documents.dataset import SPLITS
from components.common.documents.inspection import SourceInspection, Spread
from components.common.tasks.glimpses import glimpses_of
from components.common.tasks.sources import sources_of
from components.common.words.figures import size
from pipeline.terminal.console import make_table

_MOST = 100  # Classes shown.


def inspection_view(found: SourceInspection) -> RenderableType:
    """Renders what was understood of a source."""
    head = make_table("", "", wraps=("",))
    for name, text in _facts(found):
        head.add_row(Text(name, style="bold"), Text(text))
    lines = [Text(line, style="yellow") for line in (*found.rejected, *found.unreadable)]
    return Group(
        Text(found.source, style="bold"),
        *map(Text, found.understood),
        Text(),
        head,
        Text(),
        _classes_table(found),
        *([Text(), *lines] if lines else []),
    )


def _facts(found: SourceInspection) -> Iterator[tuple[str, str]]:
    noun = sources_of(found.task).EXAMPLES
    yield noun, f"{found.examples:,} of {found.records:,} records"
    stated = _counted({str(split): count for split, count in found.stated.items()})
    yield "splits", f"stated for {stated}" if stated else "a hash decides"
    if found.groups:
        yield "groups", f"{found.groups:,}, each in one split"
    if found.bytes is not None:
        yield "size", f"{size(found.size_bytes)}; each {_spread(found.bytes, size)}"
    if found.sides is not None:
        spread = _spread(found.sides, "{:,}".format)
        yield glimpses_of(found.task).SIDES, f"{spread} ({found.looked_at:,} looked at)"
    yield "formats", _counted(found.formats)
    for name, counts in (
        ("rejected", found.rejects),
        ("odd, and used", found.notes),
        ("passed over", found.passed_over),
    ):
        yield name, _counted(counts) or "nothing"


def _classes_table(found: SourceInspection) -> Table:
    table = make_table("class", *SPLITS, figures=SPLITS, wraps=("class",))
    for each in found.classes[:_MOST]:
        table.add_row(Text(each.name), *(f"{each.examples[split]:,}" for split in SPLITS))
    if (further := len(found.classes) - _MOST) > 0:
        table.add_row(Text(f"and {further:,} more", style="dim"))
    return table


def _spread(sizes: Spread, form: Callable[[int], str]) -> str:
    smallest, median, largest = map(form, (sizes.smallest, sizes.median, sizes.largest))
    return f"{smallest} to {largest}, half of them up to {median}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
