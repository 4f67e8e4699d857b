"""Drawing in SVG: elements as escaped markup, scales and ticks.

Shapes carry class names, never colours: the page's style sheet colours them, so that one
drawing serves the light and the dark scheme, and paper.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from markupsafe import Markup, escape


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """Returns an SVG element; plain strings are escaped.

    Args:
      tag: the element's name.
      children: text or elements.
      attributes: `class_` stands for class, `stroke_width` for stroke-width. Numbers are
        rounded to a tenth of a pixel.
    """
    shown = Markup("").join(
        Markup(' {}="{}"').format(_attribute_name(name), _attribute_value(value))
        for name, value in attributes.items()
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), shown, inner)


def text(content: str, x: float, y: float, **attributes: str | float) -> Markup:
    return element("text", content, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def polyline(points: Iterable[tuple[float, float]], **attributes: str | float) -> Markup:
    drawn = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    return element("polyline", points=drawn, **attributes)


def _attribute_name(name: str) -> str:
    return name if name == "viewBox" else name.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


@dataclasses.dataclass(frozen=True)
class Scale:
    """Maps values in [low, high] onto pixels in [start, end]."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Returns round values within the scale, at most about `most` of them."""
        if self.logarithmic:
            return _logarithmic_ticks(self.low, self.high, most)
        return _linear_ticks(self.low, self.high, most)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / most
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**decade for decade in decades for m in mantissas]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            return ticks
    return ticks


def padded(values: Sequence[float], share: float) -> tuple[float, float]:
    """Returns the range of the values, widened at both ends by a share of itself."""
    low, high = min(values), max(values)
    margin = (high - low) * share or max(abs(high), 1.0) * share
    return low - margin, high + margin


def drawing(width: int, height: int, title: str, *children: Markup) -> Markup:
    """Returns a whole drawing, with a title for those who can't see it."""
    return element("svg", *children, viewBox=f"0 0 {width} {height}", role="img", aria_label=title)


def axes(
    x: Scale,
    y: Scale,
    *,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    x_format: Callable[[float], str],
    y_format: Callable[[float], str],
) -> Iterator[Markup]:
    """Yields horizontal grid lines, the base line, and the numbers at both."""
    for tick in y_ticks:
        yield line(x.start, y(tick), x.end, y(tick), class_="grid")
        yield text(y_format(tick), x.start - 8, y(tick) + 4, class_="tick", text_anchor="end")
    yield line(x.start, y.start, x.end, y.start, class_="base")
    for tick in x_ticks:
        yield text(x_format(tick), x(tick), y.start + 17, class_="tick", text_anchor="middle")
