"""Curves over epochs and the histogram of pixels, as SVG for the page to embed."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from components.common.documents.bundle import Epoch
from components.common.tasks.told import Histogram
from components.report import formats
from components.report.svg import Scale, axes, drawing, element, padded, polyline, text
from components.report.training import Training


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
        tick_format=formats.percent_tick,
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
        tick_format=formats.rate_tick,
        zero=True,
        height=140,
    )


def sparsity_curve(training: Training) -> Markup:
    return _curves(
        training,
        "Sparsity",
        _column(training, "", "sparsity", "plain"),
        value_format=formats.percent,
        tick_format=formats.percent_tick,
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
    """Draws curves over epochs, with phases as bands and the kept epoch marked.

    With a value_format, each curve's name and last value stand at its end.
    """
    width = 480
    values = [value for curve in curves for value in curve.values if value is not None]
    if not values or (zero and not any(values)):  # Such as the rate of a head that is fitted.
        return Markup("")
    epochs = [epoch.epoch for epoch in training.epochs]
    x = Scale(min(epochs) - 0.5, max(epochs) + 0.5, 60, width - 138)
    low, high = padded(values, 0.06)
    y = Scale(0.0 if zero and min(values) >= 0 else low, high, height - 30, 38)
    return drawing(
        width,
        height,
        f"{title} by epoch",
        text(title, 0, 13, class_="chart-title"),
        *_phase_bands(training, x, y),
        *axes(
            x,
            y,
            x_ticks=[tick for tick in x.ticks(8) if tick == round(tick)],
            y_ticks=y.ticks(4),
            x_format=formats.measured,
            y_format=tick_format or formats.significant,
        ),
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
        title = element("title", f"kept: epoch {training.best.epoch}")
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


def histogram(drawn: Histogram) -> Markup:
    """Draws what is counted as columns, one a bin."""
    shares = drawn.shares
    width, height = 480, 150
    x = Scale(0, drawn.end, 52, width - 12)
    y = Scale(0, max(shares, default=0.0) * 1.08 or 1.0, height - 24, 10)
    step = drawn.end / max(1, len(shares))
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
    scales = axes(
        x,
        y,
        x_ticks=drawn.ticks,
        y_ticks=y.ticks(3),
        x_format=formats.measured,
        y_format=formats.percent_tick,
    )
    return drawing(width, height, drawn.title, *scales, *bars)
