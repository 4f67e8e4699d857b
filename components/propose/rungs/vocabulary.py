"""vocabulary: fewer tokens, hence fewer rows of a table that is half of an encoder's bytes.

Its level is how often a token must stand in the training split to be kept.
"""

import math
from collections.abc import Mapping
from typing import Any

from components.common.documents.decision import Objective
from components.propose.rungs.rung import Rung

_TABLE = {"size_bytes": 0.51, "zipped_bytes": 0.44}
"""What the table of tokens is of MiniLM's int8 bytes."""
_SEEN = 0.38
"""Which share of its tokens 6,000 tweets have; of those seen k times, about 1 / sqrt(k) of that."""


def _settings(level: float, told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"at_least": round(level)}


def _share(level: float, objective: Objective) -> float:
    table = _TABLE.get(objective, 0.0)
    return 1 - table * (1 - _SEEN / math.sqrt(level))


RUNG = Rung(
    kind="vocabulary",
    levels=(1, 2, 4, 8, 16),
    first=4,
    helps=frozenset({"zipped_bytes", "size_bytes"}),
    idle="a token's row is found as fast in a long table as in a short one",
    trains=False,
    settings=_settings,
    share=_share,
    label=lambda level: f"vocabulary{level:g}",
    steepness=1.0,
)
