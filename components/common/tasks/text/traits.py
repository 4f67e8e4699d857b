"""The numbers by which texts are told apart and data sets compared; see `tasks/traits.py`."""

from components.common.tasks.sketched import Edges, Sketches, Traits
from components.common.tasks.text.sketches import NUMBERS, part

EDGES: Edges = {
    # A quarter of an octave apart, from 1 to a million.
    "characters": tuple(round(2 ** (step / 4), 3) for step in range(1, 81)),
    "unknown": tuple(step / 50 for step in range(1, 50)),
}


def read_traits(sketches: Sketches) -> Traits:
    """Returns the traits of texts: characters, and the share of tokens that are unknown."""
    numbers, _ = part(sketches)
    return dict(zip(NUMBERS, numbers.T, strict=True))
