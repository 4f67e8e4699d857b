"""length: fewer tokens of a text, hence less work; the file stays as large."""

from collections.abc import Mapping
from typing import Any

from components.common.documents.bundle import ModelBundle
from components.common.documents.decision import Objective
from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.propose.rungs.rung import Rung

_FEWEST = 2
"""[CLS] and [SEP]."""


def _of_model(dense: ModelBundle) -> Mapping[str, Any]:
    architecture, spec = dense.architecture, dense.input
    assert isinstance(architecture, TextArchitecture) and isinstance(spec, TextSpec)
    return {"tokens": architecture.length or spec.length}


def _settings(level: float, told: Mapping[str, Any]) -> Mapping[str, Any]:
    # Of the tokens that the model sees, which it tells.
    return {"tokens": max(_FEWEST, round((1 - level) * told["tokens"]))}


def _share(level: float, objective: Objective) -> float:
    return 1 - level


RUNG = Rung(
    kind="length",
    levels=(0.25, 0.5, 0.75),
    first=0.5,
    helps=frozenset({"latency_ms"}),
    idle="a model that sees fewer tokens of a text has as many weights",
    of_model=_of_model,
    settings=_settings,
    share=_share,
    label=lambda level: f"length{100 * (1 - level):g}",
    steepness=3.0,
)
