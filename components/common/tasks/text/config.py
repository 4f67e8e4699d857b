"""How a text encoder learns."""

from typing import Annotated, Literal

from pydantic import Field

from components.common.config import Section

Projection = Literal["query", "key", "value", "attended", "widen", "narrow"]
"""A block's dense layers: those of the attention, and the two after it."""


class Lora(Section):
    """Low-rank adapters: a few kernels learn by a product of two narrow ones."""

    rank: Annotated[int, Field(ge=1, le=256)] = 8
    """Units between the two."""
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """What is learned counts alpha / rank times."""
    projections: Annotated[tuple[Projection, ...], Field(min_length=1)] = ("query", "value")
    """Which dense layers of every block learn."""
