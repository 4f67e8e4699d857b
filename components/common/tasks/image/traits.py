"""The numbers by which pictures are told apart and data sets compared; see `tasks/traits.py`."""

from components.common.tasks.image.sketches import NUMBERS, part
from components.common.tasks.sketched import Edges, Sketches, Traits

_SIZES = tuple(round(2 ** (step / 4), 3) for step in range(8, 65))
"""A quarter of an octave apart, from 4 to 65,536 pixels."""
_ASPECTS = tuple(round(2 ** (step / 8), 4) for step in range(-24, 25))
_INTENSITIES = tuple(float(edge) for edge in range(8, 256, 8))
_CONTRASTS = tuple(float(edge) for edge in range(4, 128, 4))

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
