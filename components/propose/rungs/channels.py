"""channels: fewer filters, hence fewer bytes and multiplications; what is left takes zeros well."""

from collections.abc import Mapping
from typing import Any

from components.common.documents.decision import Objective
from components.propose.rungs.rung import BYTES_AND_TIME, Rung


def _settings(level: float, told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"share": level}


def _share(level: float, objective: Objective) -> float:
    # Half of EfficientNet-Lite0's expanded filters are 0.52 of its int8 bytes and 0.72 of its time.
    return 1 - (0.57 if objective == "latency_ms" else 0.96) * level


RUNG = Rung(
    kind="channels",
    levels=(0.25, 0.5, 0.75),
    first=0.5,
    helps=BYTES_AND_TIME,
    settings=_settings,
    share=_share,
    label=lambda level: f"cut{100 * level:g}",
    steepness=3.0,
)
