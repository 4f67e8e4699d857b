"""The drawing of all candidates: accuracy over size, with latency and budgets."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from components.common.documents.decision import Budgets
from components.report import formats
from components.report.candidates import CandidateRow
from components.report.svg import Scale, axes, drawing, element, line, padded, text

_CHARACTER = 7.6  # Mean width of a label's character, in pixels.


@dataclasses.dataclass(frozen=True)
class _Box:
    """Where a label lies."""

    left: float
    top: float
    width: float
    height: float = 15.0

    def overlap(self, other: "_Box") -> float:
        """Returns the area that two boxes share."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)


def candidates_chart(
    rows: Sequence[CandidateRow], budgets: Budgets, *, width: int, height: int
) -> Markup:
    """Draws accuracy with its interval over zipped size; a marker's area is its latency.

    Args:
      rows: the candidates; those without accuracy or size are left out.
      budgets: drawn as lines: zipped size, accuracy, and float32 less the accuracy drop.
      width: of the drawing, in pixels.
      height: likewise.
    """
    shown = [row for row in rows if row.accuracy is not None and row.zipped_bytes is not None]
    if not shown:
        return Markup("")
    x = _size_scale([*_sizes(shown), *_given(budgets.zipped_bytes)], 58, width - 24)
    floor = _accuracy_floor(shown, budgets)
    y = _accuracy_scale(shown, floor, start=height - 46, end=14)
    return drawing(
        width,
        height,
        "Accuracy over zipped size of every candidate",
        *axes(
            x,
            y,
            x_ticks=x.ticks(width // 90),
            y_ticks=y.ticks(),
            x_format=formats.size,
            y_format=formats.percent_tick,
        ),
        text("zipped size", x.end, height - 8, class_="axis-name", text_anchor="end"),
        *_budget_lines(x, y, floor, budgets),
        *_candidate_marks(shown, x, y),
    )


def _sizes(rows: Sequence[CandidateRow]) -> list[float]:
    return [float(row.zipped_bytes) for row in rows if row.zipped_bytes is not None]


def _given(value: float | None) -> list[float]:
    return [] if value is None else [float(value)]


def _size_scale(sizes: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(sizes), max(sizes)
    if high > 3 * low:
        factor = (high / low) ** 0.12
        return Scale(low / factor, high * factor, start, end, logarithmic=True)
    low, high = padded(sizes, 0.2)
    return Scale(max(0.0, low), high, start, end)


def _accuracy_floor(rows: Sequence[CandidateRow], budgets: Budgets) -> list[tuple[float, str]]:
    """Returns the accuracies that budgets demand, with what to call them."""
    floors = [(value, "least accuracy") for value in _given(budgets.min_accuracy)]
    baseline = next((row.accuracy for row in rows if row.baseline), None)
    if budgets.accuracy_drop is not None and baseline is not None:
        points = formats.plain_points(budgets.accuracy_drop)
        name = f"float32 less the margin of {points} points"
        floors.append((baseline.value - budgets.accuracy_drop, name))
    return floors


def _accuracy_scale(
    rows: Sequence[CandidateRow], floors: Sequence[tuple[float, str]], *, start: float, end: float
) -> Scale:
    estimates = [row.accuracy for row in rows if row.accuracy is not None]
    values = [value for estimate in estimates for value in (estimate.low, estimate.high)]
    low, high = padded([*values, *(value for value, _ in floors)], 0.08)
    return Scale(max(0.0, low), min(1.0, high), start, end)


def _budget_lines(
    x: Scale, y: Scale, floors: Sequence[tuple[float, str]], budgets: Budgets
) -> Iterator[Markup]:
    for value, name in floors:
        yield line(x.start, y(value), x.end, y(value), class_="budget")
        yield text(name, x.start + 6, y(value) + 14, class_="budget-name")
    if budgets.zipped_bytes is not None:
        at = x(budgets.zipped_bytes)
        yield line(at, y.end, at, y.start, class_="budget")
        name = f"budget {formats.size(budgets.zipped_bytes)}"
        yield text(name, at - 6, y.end + 10, class_="budget-name", text_anchor="end")


def _candidate_marks(rows: Sequence[CandidateRow], x: Scale, y: Scale) -> Iterator[Markup]:
    """Yields interval bars, markers over them, and labels that avoid one another."""
    slowest = max((row.latency.p50_ms for row in rows if row.latency), default=0.0)
    places = [_Mark.of(row, x, y, slowest) for row in rows]
    for mark in places:
        yield line(mark.x, mark.low, mark.x, mark.high, class_=f"interval {mark.row.standing}")
    for mark in places:
        yield element(
            "circle",
            element("title", mark.description),
            cx=mark.x,
            cy=mark.y,
            r=mark.radius,
            class_=f"mark {mark.row.standing}",
        )
    taken = [box for mark in places for box in mark.boxes]
    for mark in sorted(places, key=lambda mark: mark.row.standing != "winner"):
        box = _free_box(mark, taken, Scale(0, 1, x.start, x.end), y)
        taken.append(box)
        leftwards = box.left < mark.x
        yield text(
            mark.row.id,
            box.left + box.width if leftwards else box.left,
            box.top + 12,
            text_anchor="end" if leftwards else "start",
            class_=f"label {mark.row.standing}",
        )


@dataclasses.dataclass(frozen=True)
class _Mark:
    """A candidate's place in the drawing, in pixels."""

    row: CandidateRow
    x: float
    y: float
    low: float
    high: float
    radius: float

    @classmethod
    def of(cls, row: CandidateRow, x: Scale, y: Scale, slowest: float) -> "_Mark":
        assert row.accuracy is not None and row.zipped_bytes is not None
        share = row.latency.p50_ms / slowest if row.latency and slowest else 0.0
        return cls(
            row,
            x(row.zipped_bytes),
            y(row.accuracy.value),
            y(row.accuracy.low),
            y(row.accuracy.high),
            max(4.0, 15.0 * math.sqrt(share)),
        )

    @property
    def boxes(self) -> tuple[_Box, _Box]:
        """Returns the marker's and the interval bar's own places."""
        side = 2 * self.radius
        return (
            _Box(self.x - self.radius, self.y - self.radius, side, side),
            _Box(self.x - 2, self.high, 4, self.low - self.high),
        )

    @property
    def description(self) -> str:
        row = self.row
        assert row.accuracy is not None and row.zipped_bytes is not None
        accuracy = formats.percent(row.accuracy.value)
        shown = f"{row.id}: {accuracy}, {formats.size(row.zipped_bytes)} zipped"
        return f"{shown}, {formats.milliseconds(row.latency.p50_ms)}" if row.latency else shown


def _free_box(mark: _Mark, taken: Sequence[_Box], x: Scale, y: Scale) -> _Box:
    """Returns the place around a marker where its label covers least of what is there."""
    width = len(mark.row.id) * _CHARACTER
    right, left = mark.x + mark.radius + 5, mark.x - mark.radius - 5 - width
    offsets = (-7.5, -22.0, 8.0, -37.0, 23.0, -52.0, 38.0)
    choices = [_Box(side, mark.y + offset, width) for offset in offsets for side in (right, left)]
    inside = [
        box
        for box in choices
        if box.left >= x.start and box.left + width <= x.end + 20 and y.end <= box.top <= y.start
    ]
    return min(inside or choices, key=lambda box: sum(box.overlap(other) for other in taken))
