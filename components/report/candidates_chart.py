"""The drawing of all candidates: accuracy over size or latency, with budgets and the front.

The front joins the candidates than which no other one is both as accurate and as small, or as fast.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from components.common.documents.decision import Budgets
from components.report import formats
from components.report.candidates import CandidateRow
from components.report.svg import Scale, axes, drawing, element, line, padded, polyline, text

_MOST_LABELS = 12  # Of more candidates, only those that stand out are named in the drawing.
_CHARACTER = 7.6  # Mean width of a label's character, in pixels.
_GAP = 5.0  # Between a marker and its label, in pixels.
_ASTRAY = 200.0  # A label nearer to another marker is as bad as so many pixels that it covers.
_FAR = 2.0  # So is each pixel that it lies away from its own.


@dataclasses.dataclass(frozen=True)
class _Box:
    """Where a label lies."""

    left: float
    top: float
    width: float
    height: float = 15.0

    def overlap(self, other: "_Box") -> float:
        """Returns the area that two boxes share."""
        across, down = self._shared(other)
        return max(0.0, across) * max(0.0, down)

    def distance(self, other: "_Box") -> float:
        """Returns how far two boxes lie apart, 0 where they touch."""
        across, down = self._shared(other)
        return math.hypot(min(0.0, across), min(0.0, down))

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Returns the box's point that is nearest to another one."""
        return (
            min(max(x, self.left), self.left + self.width),
            min(max(y, self.top), self.top + self.height),
        )

    def _shared(self, other: "_Box") -> tuple[float, float]:
        """Returns the width and the height that two boxes share; less than 0 is a gap."""
        return (
            min(self.left + self.width, other.left + other.width) - max(self.left, other.left),
            min(self.top + self.height, other.top + other.height) - max(self.top, other.top),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """What accuracy is drawn over.

    Attributes:
      name: below the axis.
      value: a candidate's, None where it could not be taken.
      budget: the most that is allowed, if a recipe says so.
      form: a value in words.
      area: what the area of a marker is after.
    """

    name: str
    value: Callable[[CandidateRow], float | None]
    budget: Callable[[Budgets], float | None]
    form: Callable[[float], str]
    area: Callable[[CandidateRow], float | None]


def _zipped_bytes(row: CandidateRow) -> float | None:
    return row.zipped_bytes


def _latency_ms(row: CandidateRow) -> float | None:
    return row.latency.p50_ms if row.latency else None


ZIPPED_SIZE = Measure(
    name="zipped size",
    value=_zipped_bytes,
    budget=lambda budgets: budgets.zipped_bytes,
    form=formats.size,
    area=_latency_ms,
)
LATENCY = Measure(
    name="latency, p50 at one thread",
    value=_latency_ms,
    budget=lambda budgets: budgets.latency_ms,
    form=formats.milliseconds,
    area=_zipped_bytes,
)


def candidates_chart(
    rows: Sequence[CandidateRow],
    budgets: Budgets,
    *,
    width: int,
    height: int,
    measure: Measure = ZIPPED_SIZE,
) -> Markup:
    """Draws accuracy with its interval over size or latency; a marker's area is the other one.

    Args:
      rows: the candidates; those without accuracy or measure are left out.
      budgets: drawn as lines: the measure's, accuracy, and float32 less the accuracy drop.
      width: of the drawing, in pixels.
      height: likewise.
      measure: what accuracy is drawn over.
    """
    shown = [row for row in rows if row.accuracy is not None and measure.value(row) is not None]
    if not shown:
        return Markup("")
    budget = measure.budget(budgets)
    x = _measure_scale([*_values(shown, measure), *_given(budget)], 58, width - 24)
    floor = _accuracy_floor(shown, budgets)
    y = _accuracy_scale(shown, floor, start=height - 46, end=14)
    front = find_front(shown, measure)
    return drawing(
        width,
        height,
        f"Accuracy over {measure.name} of every candidate",
        *axes(
            x,
            y,
            x_ticks=x.ticks(width // 90),
            y_ticks=y.ticks(),
            x_format=measure.form,
            y_format=formats.percent_tick,
        ),
        text(measure.name, x.end, height - 8, class_="axis-name", text_anchor="end"),
        *_budget_lines(x, y, floor, None if budget is None else (budget, measure.form(budget))),
        polyline(_stairs(front, x, y, measure), class_="front"),
        *_candidate_marks(shown, front, x, y, measure),
    )


def find_front(rows: Sequence[CandidateRow], measure: Measure) -> tuple[CandidateRow, ...]:
    """Returns the candidates that no other one beats, from the smallest or fastest upwards.

    Args:
      rows: candidates with accuracy and measure.
      measure: what is held against accuracy.
    """
    front: list[CandidateRow] = []
    for row in sorted(rows, key=lambda row: (_value(row, measure), -_accuracy(row))):
        if not front or _accuracy(row) > _accuracy(front[-1]):
            front.append(row)
    return tuple(front)


def _stairs(
    front: Sequence[CandidateRow], x: Scale, y: Scale, measure: Measure
) -> Iterator[tuple[float, float]]:
    """Yields the corners of the line under which every candidate lies."""
    for number, row in enumerate(front):
        if number:
            yield x(_value(row, measure)), y(_accuracy(front[number - 1]))
        yield x(_value(row, measure)), y(_accuracy(row))
    yield x.end, y(_accuracy(front[-1]))


def _value(row: CandidateRow, measure: Measure) -> float:
    value = measure.value(row)
    assert value is not None, f"{row.id} has no {measure.name}"
    return value


def _accuracy(row: CandidateRow) -> float:
    assert row.accuracy is not None, f"{row.id} has no accuracy"
    return row.accuracy.value


def _values(rows: Sequence[CandidateRow], measure: Measure) -> list[float]:
    return [_value(row, measure) for row in rows]


def _given(value: float | None) -> list[float]:
    return [] if value is None else [float(value)]


def _measure_scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    if high > 3 * low:
        factor = (high / low) ** 0.12
        return Scale(low / factor, high * factor, start, end, logarithmic=True)
    low, high = padded(values, 0.2)
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
    x: Scale, y: Scale, floors: Sequence[tuple[float, str]], most: tuple[float, str] | None
) -> Iterator[Markup]:
    for value, name in floors:
        yield line(x.start, y(value), x.end, y(value), class_="budget")
        yield text(name, x.start + 6, y(value) + 14, class_="budget-name")
    if most is not None:
        value, words = most
        at = x(value)
        yield line(at, y.end, at, y.start, class_="budget")
        name = f"budget {words}"
        yield text(name, at - 6, y.end + 10, class_="budget-name", text_anchor="end")


def _candidate_marks(
    rows: Sequence[CandidateRow],
    front: Sequence[CandidateRow],
    x: Scale,
    y: Scale,
    measure: Measure,
) -> Iterator[Markup]:
    """Yields interval bars, markers over them, and labels that avoid one another."""
    largest = max((measure.area(row) or 0.0 for row in rows), default=0.0)
    marks = [_Mark.of(row, x, y, measure, largest) for row in rows]
    labels = _place_labels(marks, front, x, y)
    for mark in marks:
        yield line(mark.x, mark.low, mark.x, mark.high, class_=f"interval {mark.row.standing}")
    for mark, box in labels:
        if box.distance(mark.boxes[0]) > 2 * _GAP:
            yield line(mark.x, mark.y, *box.nearest(mark.x, mark.y), class_="leader")
    for mark in sorted(marks, key=lambda mark: -mark.radius):  # A large one would hide a small one.
        yield element(
            "circle",
            element("title", mark.description),
            cx=mark.x,
            cy=mark.y,
            r=mark.radius,
            class_=f"mark {mark.row.standing}",
        )
    for mark, box in labels:
        anchor, share = _anchor(box, mark)
        yield text(
            mark.row.id,
            box.left + share * box.width,
            box.top + 12,
            text_anchor=anchor,
            class_=f"label {mark.row.standing}",
        )


def _place_labels(
    marks: Sequence["_Mark"], front: Sequence[CandidateRow], x: Scale, y: Scale
) -> list[tuple["_Mark", _Box]]:
    """Returns the markers that are named, and where; the winner's name finds its place first."""
    taken = [box for mark in marks for box in mark.boxes]
    named = [mark for mark in marks if len(marks) <= _MOST_LABELS or _stands_out(mark.row, front)]
    labels = []
    for mark in sorted(named, key=lambda mark: mark.row.standing != "winner"):
        box = _free_box(mark, marks, taken, Scale(0, 1, x.start, x.end), y)
        taken.append(box)
        labels.append((mark, box))
    return labels


def _stands_out(row: CandidateRow, front: Sequence[CandidateRow]) -> bool:
    return row.baseline or row.standing == "winner" or row in front


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
    def of(cls, row: CandidateRow, x: Scale, y: Scale, measure: Measure, largest: float) -> "_Mark":
        assert row.accuracy is not None
        share = (measure.area(row) or 0.0) / largest if largest else 0.0
        return cls(
            row,
            x(_value(row, measure)),
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
        shown = [formats.percent(_accuracy(row))]
        if row.zipped_bytes is not None:
            shown.append(f"{formats.size(row.zipped_bytes)} zipped")
        if row.latency is not None:
            shown.append(formats.milliseconds(row.latency.p50_ms))
        return f"{row.id}: {', '.join(shown)}"


def _free_box(
    mark: _Mark, marks: Sequence[_Mark], taken: Sequence[_Box], x: Scale, y: Scale
) -> _Box:
    """Returns the place around a marker where its label is read as its own, and covers least."""
    width, height = len(mark.row.id) * _CHARACTER, _Box.height
    right, left = mark.x + mark.radius + _GAP, mark.x - mark.radius - _GAP - width
    offsets = (-7.5, -22.0, 8.0, -37.0, 23.0, -52.0, 38.0)
    choices = [_Box(side, mark.y + offset, width) for offset in offsets for side in (right, left)]
    away = mark.radius + _GAP
    choices += [
        _Box(mark.x - width / 2, top, width) for top in (mark.y - away - height, mark.y + away)
    ]
    inside = [
        box
        for box in choices
        if box.left >= x.start and box.left + width <= x.end + 20 and y.end <= box.top <= y.start
    ]
    others = [other.boxes[0] for other in marks if other is not mark]

    def cost(box: _Box) -> float:
        own = box.distance(mark.boxes[0])
        astray = any(box.distance(other) < own for other in others)
        return sum(box.overlap(other) for other in taken) + _ASTRAY * astray + _FAR * own

    return min(inside or choices, key=cost)


def _anchor(box: _Box, mark: _Mark) -> tuple[str, float]:
    """Returns which end of a label stays where it is, however wide its letters are.

    It comes with the share of the label that lies left of that.
    """
    if box.left > mark.x:
        return "start", 0.0
    return ("middle", 0.5) if box.left + box.width > mark.x else ("end", 1.0)
