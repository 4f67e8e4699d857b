"""Sizes of texts: their tokens, [CLS] and [SEP] among them, and whether they were cut.

The tokens are those of the data set's vocabulary, so that a text has the same size for every model.
"""

from collections.abc import Sequence

from components.common.documents.text import TextSpec
from components.common.tasks.text.features import Example

_STEP = 16
_MOST = 8
"""So many sizes at most, beside that of texts which were cut."""


def name_sizes(spec: TextSpec) -> Sequence[str]:
    """Returns such as `1 to 16 tokens`, and at last what was cut."""
    step = _step(spec.length)
    starts = range(0, spec.length, step)
    names = [f"{start + 1} to {min(start + step, spec.length)} tokens" for start in starts]
    return [*names, f"over {spec.length} tokens, cut"]


def size_of(example: Example, spec: TextSpec) -> int:
    """Returns the index of a text's size among the names."""
    tokens, step = sum(example.input_mask), _step(spec.length)
    if tokens == spec.length and example.rest.strip():
        return -(-spec.length // step)
    return (tokens - 1) // step


def _step(length: int) -> int:
    return -(-length // (_STEP * _MOST)) * _STEP
