"""The numbers by which texts are told apart and data sets compared; see `tasks/traits.py`."""

from collections.abc import Mapping

import numpy as np

from components.common.statistics.outliers import how_far_out
from components.common.tasks.sketched import Edges, Oddness, Sketches, Traits
from components.common.tasks.text.sketches import NUMBERS, part
from components.common.words.figures import percent

_OCTAVE = 1.0
"""Lengths that differ by less than a factor of two are none that stand out."""
_MOSTLY = 0.5

EDGES: Edges = {
    # A quarter of an octave apart, from 1 to a million.
    "characters": tuple(round(2 ** (step / 4), 3) for step in range(1, 81)),
    "unknown": tuple(step / 50 for step in range(1, 50)),
}


def read_traits(sketches: Sketches) -> Traits:
    """Returns the traits of texts: characters, and the share of tokens that are unknown."""
    numbers, _ = part(sketches)
    return dict(zip(NUMBERS, numbers.T, strict=True))


def find_odd(traits: Traits) -> Oddness:
    """Returns how odd texts are: by what a model reads of them, and by their length."""
    unknown = traits["unknown"]
    return {
        "mostly_unknown": np.where(unknown > _MOSTLY, unknown, 0),
        "odd_length": how_far_out(np.log2(traits["characters"]), at_least=_OCTAVE),
    }


def describe_odd(kind: str, traits: Mapping[str, float]) -> str:
    """Says how a text is odd."""
    if kind == "odd_length":
        return f"{traits['characters']:.0f} characters"
    return f"{percent(traits['unknown'], 0)} of its tokens"
