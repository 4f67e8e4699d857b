"""distil: a narrower student, from nothing: the strongest step, and the longest training."""

from collections.abc import Mapping
from typing import Any

from components.common.documents.decision import Objective
from components.propose.rungs.rung import BYTES_AND_TIME, Rung


def _settings(level: float, told: Mapping[str, Any]) -> Mapping[str, Any]:
    # Of the model's own width, which the recipe tells.
    return {"width": round((1 - level) * told.get("width", 1.0), 6)}


def _share(level: float, objective: Objective) -> float:
    # Weights lie between two layers that are both narrower; depthwise work falls with one of them.
    return (1 - level) ** (1.5 if objective == "latency_ms" else 2)


RUNG = Rung(
    kind="distil",
    levels=(0.25, 0.5, 0.65),
    first=0.5,
    helps=BYTES_AND_TIME,
    settings=_settings,
    share=_share,
    label=lambda level: f"student{100 * (1 - level):g}",
    steepness=3.0,
)
