"""The numbers by which pictures are told apart and data sets compared; see `tasks/traits.py`."""

from collections.abc import Mapping

import numpy as np

from components.common.statistics.outliers import how_far_out
from components.common.tasks.image.sketches import NUMBERS, part
from components.common.tasks.sketched import Edges, Oddness, Sketches, Traits

_SIZES = tuple(round(2 ** (step / 4), 3) for step in range(8, 65))
"""A quarter of an octave apart, from 4 to 65,536 pixels."""
_ASPECTS = tuple(round(2 ** (step / 8), 4) for step in range(-24, 25))
_INTENSITIES = tuple(float(edge) for edge in range(8, 256, 8))
_CONTRASTS = tuple(float(edge) for edge in range(4, 128, 4))

_BLANK, _FLAT = 16, 64
"""Pictures of no greater range show hardly anything; those of no greater extent use a quarter of
the intensities."""
_OCTAVE, _DARKER = 1.0, 64.0
"""Sizes and aspects that differ by less than a factor of two are none that stand out; nor are
pictures that are darker or lighter by less than that."""

EDGES: Edges = {
    "width": _SIZES,
    "height": _SIZES,
    "aspect": _ASPECTS,
    "brightness": _INTENSITIES,
    "contrast": _CONTRASTS,
    "range": _INTENSITIES,
}


def read_traits(sketches: Sketches) -> Traits:
    """Returns the traits of pictures: sizes in pixels, the rest in intensities of 255."""
    numbers, _ = part(sketches)
    traits = dict(zip(NUMBERS, numbers.T, strict=True))
    return {**traits, "aspect": traits["width"] / traits["height"]}


def find_odd(traits: Traits) -> Oddness:
    """Returns how odd pictures are: by what they show, and by what they are beside the others."""
    width, height = traits["width"], traits["height"]
    range_, extent = traits["range"], traits["extent"]
    blank = (range_ > 0) & (range_ <= _BLANK)  # Of one colour is a note of its own.
    flat = (range_ > _BLANK) & (extent <= _FLAT)
    return {
        "nearly_blank": np.where(blank, 256 - range_, 0),
        "small_range": np.where(flat, 256 - extent, 0),
        "odd_size": how_far_out(np.log2(width * height) / 2, at_least=_OCTAVE),
        "odd_aspect": how_far_out(np.log2(traits["aspect"]), at_least=_OCTAVE),
        "odd_brightness": how_far_out(traits["brightness"], at_least=_DARKER),
    }


def describe_odd(kind: str, traits: Mapping[str, float]) -> str:
    """Says how a picture is odd: its size in pixels, or intensities of 255."""
    if kind in ("odd_size", "odd_aspect"):
        return f"{traits['width']:.0f}x{traits['height']:.0f}"
    if kind == "odd_brightness":
        return f"mean {traits['brightness']:.0f}"
    return f"range {traits['range' if kind == 'nearly_blank' else 'extent']:.0f}"
