"""The report's drawings, one function each; all return SVG for the page to embed."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from components.common.documents import Epoch
from components.report import formats
from components.report.candidates import Budgets, CandidateRow
from components.report.svg import Scale, element, line, padded, polyline, text
from components.report.training import Training

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


# --- candidates ---------------------------------------------------------------------


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
    return _drawing(
        width,
        height,
        "Accuracy over zipped size of every candidate",
        *_axes(x, y, x_format=_size_tick, y_format=_percent_tick, x_most=width // 90),
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


# --- training -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line over epochs; None where an epoch has no value."""

    name: str
    values: tuple[float | None, ...]
    style: str
    """`faint`, `strong` or `plain`."""


def accuracy_curves(training: Training) -> Markup:
    return _curves(
        training,
        "Accuracy",
        _column(training, "training", "accuracy", "faint"),
        _column(training, "validation", "validation_accuracy", "strong"),
        value_format=formats.percent,
        tick_format=_percent_tick,
    )


def loss_curves(training: Training) -> Markup:
    return _curves(
        training,
        "Loss",
        _column(training, "training", "loss", "faint"),
        _column(training, "validation", "validation_loss", "strong"),
        value_format=formats.significant,
        zero=True,
    )


def learning_rate_curve(training: Training) -> Markup:
    return _curves(
        training,
        "Learning rate",
        _column(training, "", "learning_rate", "plain"),
        tick_format=_rate,
        zero=True,
        height=140,
    )


def sparsity_curve(training: Training) -> Markup:
    return _curves(
        training,
        "Sparsity",
        _column(training, "", "sparsity", "plain"),
        value_format=formats.percent,
        tick_format=_percent_tick,
        zero=True,
        height=140,
    )


def _column(training: Training, name: str, field: str, style: str) -> Curve:
    def value(epoch: Epoch) -> float | None:
        found: float | None = getattr(epoch, field)
        return found if found is not None and math.isfinite(found) else None

    return Curve(name, tuple(value(epoch) for epoch in training.epochs), style)


def _curves(
    training: Training,
    title: str,
    *curves: Curve,
    value_format: Callable[[float], str] | None = None,
    tick_format: Callable[[float], str] | None = None,
    zero: bool = False,
    height: int = 230,
) -> Markup:
    """Draws curves over epochs, with phases as bands and the best epoch marked.

    With a value_format, each curve's name and last value stand at its end.
    """
    width = 480
    values = [value for curve in curves for value in curve.values if value is not None]
    if not values:
        return Markup("")
    epochs = [epoch.epoch for epoch in training.epochs]
    x = Scale(min(epochs) - 0.5, max(epochs) + 0.5, 52, width - 124)
    low, high = padded(values, 0.06)
    y = Scale(0.0 if zero and min(values) >= 0 else low, high, height - 30, 38)
    return _drawing(
        width,
        height,
        f"{title} by epoch",
        text(title, 0, 13, class_="chart-title"),
        *_phase_bands(training, x, y),
        *_axes(x, y, x_format=_whole, y_format=tick_format or formats.significant, y_most=4),
        *_best_epoch(training, x, y),
        *(_curve_line(curve, epochs, x, y) for curve in curves),
        *(_curve_labels(curves, x, y, value_format) if value_format else ()),
    )


def _phase_bands(training: Training, x: Scale, y: Scale) -> Iterator[Markup]:
    if len(training.phases) < 2:
        return
    for number, phase in enumerate(training.phases):
        left, right = x(phase.first_epoch - 0.5), x(phase.last_epoch + 0.5)
        if number % 2:
            yield element(
                "rect", x=left, y=y.end, width=right - left, height=y.start - y.end, class_="band"
            )
        name = phase.name.replace("_", " ")
        yield text(name, left + 4, y.end - 4, class_="phase-name")


def _best_epoch(training: Training, x: Scale, y: Scale) -> Iterator[Markup]:
    if training.best is not None:
        at = x(training.best.epoch)
        title = element("title", f"best epoch: {training.best.epoch}")
        yield element("line", title, x1=at, y1=y.end, x2=at, y2=y.start, class_="best")


def _curve_line(curve: Curve, epochs: Sequence[int], x: Scale, y: Scale) -> Markup:
    points = [
        (x(epoch), y(value))
        for epoch, value in zip(epochs, curve.values, strict=True)
        if value is not None
    ]
    if len(points) == 1:
        return element(
            "circle", cx=points[0][0], cy=points[0][1], r=3.5, class_=f"dot {curve.style}"
        )
    return polyline(points, class_=f"curve {curve.style}")


def _curve_labels(
    curves: Sequence[Curve], x: Scale, y: Scale, value_format: Callable[[float], str]
) -> Iterator[Markup]:
    """Yields each curve's name and last value at its end, pushed apart where they meet."""
    ends = [
        (y(values[-1]), curve, values[-1])
        for curve in curves
        if (values := [value for value in curve.values if value is not None])
    ]
    previous = -math.inf
    for at, curve, value in sorted(ends, key=lambda end: end[0]):
        at = max(at, previous + 15)
        previous = at
        label = f"{curve.name} {value_format(value)}".strip()
        yield text(label, x.end + 6, at + 4, class_=f"curve-label {curve.style}")


# --- data ---------------------------------------------------------------------------


def pixel_histogram(shares: Sequence[float]) -> Markup:
    """Draws the share of pixels by intensity, in bins that together span [0, 256]."""
    width, height = 480, 150
    x = Scale(0, 256, 52, width - 12)
    y = Scale(0, max(shares, default=0.0) * 1.08 or 1.0, height - 24, 10)
    step = 256 / max(1, len(shares))
    bars = [
        element(
            "rect",
            element("title", f"{step * bin_:g} to {step * (bin_ + 1):g}: {formats.percent(share)}"),
            x=x(step * bin_) + 0.5,
            y=y(share),
            width=x(step) - x(0) - 1,
            height=y.start - y(share),
            class_="column",
        )
        for bin_, share in enumerate(shares)
    ]
    axes = _axes(x, y, x_format=_whole, y_format=_percent_tick, y_most=3, x_ticks=_INTENSITIES)
    return _drawing(width, height, "Pixels by intensity", *axes, *bars)


_INTENSITIES = (0, 64, 128, 192, 255)


# --- axes ---------------------------------------------------------------------------


def _drawing(width: int, height: int, title: str, *children: Markup) -> Markup:
    return element("svg", *children, viewBox=f"0 0 {width} {height}", role="img", aria_label=title)


def _axes(
    x: Scale,
    y: Scale,
    *,
    x_format: Callable[[float], str],
    y_format: Callable[[float], str],
    x_most: int = 8,
    y_most: int = 6,
    x_ticks: Sequence[float] | None = None,
) -> Iterator[Markup]:
    """Yields horizontal grid lines, the base line, and the numbers at both."""
    for tick in y.ticks(y_most):
        yield line(x.start, y(tick), x.end, y(tick), class_="grid")
        yield text(y_format(tick), x.start - 8, y(tick) + 4, class_="tick", text_anchor="end")
    yield line(x.start, y.start, x.end, y.start, class_="base")
    for tick in x.ticks(x_most) if x_ticks is None else x_ticks:
        if x_format is _whole and tick != round(tick):
            continue
        yield text(x_format(tick), x(tick), y.start + 17, class_="tick", text_anchor="middle")


def _percent_tick(share: float) -> str:
    return f"{round(share * 100, 2):g}{formats.SPACE}%"


def _size_tick(size_bytes: float) -> str:
    number, unit = formats.size(size_bytes).split(formats.SPACE)
    return f"{float(number.replace(',', '')):g}{formats.SPACE}{unit}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _rate(value: float) -> str:
    """Returns a learning rate: `0.0003`, `3e−05`."""
    return f"{value:.2g}".replace("-", formats.MINUS)
