"""prune: zeros, which deflate packs; in a file as it is they take as much room as other weights."""

import math
from collections.abc import Mapping
from typing import Any

from components.common.documents.decision import Objective
from components.propose.rungs.rung import Rung

_BITS = 6.65
"""What a dense int8 weight comes to in a zip (EfficientNet-Lite0)."""
_REST = 0.2
"""The share of a zip that pruning leaves as it is: kernels that stay dense, biases, scales."""


def _settings(level: float, told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"final_sparsity": level, "shares": "lamp", "distillation": {}, "end": 0.6}


def _share(level: float, objective: Objective) -> float:
    """Returns what the entropy of zeros and of the weights between them comes to."""
    if objective != "zipped_bytes":
        return 1.0
    zeros = -level * math.log2(level) - (1 - level) * math.log2(1 - level)
    return _REST + (1 - _REST) * (zeros + (1 - level) * _BITS) / _BITS


RUNG = Rung(
    kind="prune",
    levels=(0.5, 0.7, 0.8, 0.9),
    first=0.8,
    resolution=0.05,
    helps=frozenset({"zipped_bytes"}),
    idle="a zero takes as many bytes in the file and as long to multiply as another weight",
    follows=("channels", "distil", "vocabulary"),
    settings=_settings,
    share=_share,
    label=lambda level: f"prune{100 * level:g}",
    steepness=8.0,
)
