"""The rungs of the ladder, each a module with a RUNG; the order is that in which they are tried."""

from components.propose.rungs import channels, distil, length, prune, vocabulary
from components.propose.rungs.rung import Rung

RUNGS: tuple[Rung, ...] = (
    prune.RUNG,
    channels.RUNG,
    distil.RUNG,
    vocabulary.RUNG,
    length.RUNG,
)

__all__ = ["RUNGS", "Rung"]
