"""What a rung of the ladder is: one kind of compression, at levels from mild to strong."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from components.common.documents.bundle import ModelBundle
from components.common.documents.decision import Objective


def _nothing(dense: ModelBundle) -> Mapping[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rung:
    """One kind of compression.

    A stronger level weighs less and loses more than a milder one: on that the search relies.

    Attributes:
      kind: of the compression step that does it.
      levels: from mild to strong, in the rung's own measure.
      first: the level to begin with.
      resolution: how far apart two levels must lie for one between them to be tried; None where
        there is none between.
      helps: the objectives that it makes anything better for.
      idle: why it helps no other, in a sentence.
      follows: the rungs whose strongest variant that holds it is tried on as well.
      trains: whether its step does; what takes no training is tried as it is, and costs none.
      of_model: what the dense model tells of itself, by the names of the step's settings, where
        levels are shares of it.
      settings: what the step is told at a level, beside what is told at all of them: by the recipe
        of how it learns, and by `of_model`.
      share: what is left of the weight of the parent at a level, for an objective: a forecast,
        to tell what can no longer win.
      label: what a variant is called at a level: `prune80`.
      steepness: the power of the level with which losses are taken to grow, until two show it.
    """

    kind: str
    levels: tuple[float, ...]
    first: float
    helps: frozenset[Objective]
    settings: Callable[[float, Mapping[str, Any]], Mapping[str, Any]]
    share: Callable[[float, Objective], float]
    label: Callable[[float], str]
    steepness: float
    idle: str = ""
    resolution: float | None = None
    trains: bool = True
    of_model: Callable[[ModelBundle], Mapping[str, Any]] = _nothing
    follows: tuple[str, ...] = ()


BYTES_AND_TIME: frozenset[Objective] = frozenset({"zipped_bytes", "size_bytes", "latency_ms"})
