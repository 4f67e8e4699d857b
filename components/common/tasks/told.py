"""What a task tells of its data, for people: values that know neither the task nor the page."""

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Histogram:
    """A histogram to draw.

    Attributes:
      title: what is counted, by what.
      shares: of equally wide bins, which begin at 0.
      end: of the last bin.
      ticks: what to write below.
    """

    title: str
    shares: Sequence[float]
    end: float
    ticks: Sequence[float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataTold:
    """What is told of a data set.

    Attributes:
      noun: what one example is: `picture`.
      described: what every example is, in words.
      remark: a sentence on how examples became so; empty where there is nothing to say.
      counted: what the histogram and the figures are of: `Pixels`.
      histogram: over the training split.
      figures: beside the histogram: name -> values, one or one for each channel.
      coarse: whether examples are shown with their pixels as squares.
    """

    noun: str
    described: str
    remark: str
    counted: str
    histogram: Histogram
    figures: Sequence[tuple[str, Sequence[float]]]
    coarse: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """An example as a page shows it: as a picture, or as words."""

    address: str = ""
    """A data: address of a picture."""
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Glimpse:
    """What one look at an example shows."""

    kind: str
    """Its format: `JPEG`."""
    side: int
    """How large it is, in `SIDES`."""
    shown: Shown


@dataclasses.dataclass(frozen=True)
class Description:
    """What a schema may say of an example; see `tasks/sources.py`."""

    values: Mapping[str, str]
    numbers: Mapping[str, float]
