"""snap: fewer levels for the weights, in a file of the same size and speed that packs better."""

from typing import Annotated

from pydantic import Field

from components.common.config import Section
from components.common.lite.file_steps.file_step import FileStep, Material


class Settings(Section):
    """Int8 weights are rounded to a coarser grid: the file is no smaller, but its zip is."""

    bits: Annotated[int, Field(ge=2, le=7)] = 6
    """Weights take at most 2 to the power of `bits`, less one, values a channel."""
    examples: Annotated[int, Field(ge=10, le=10_000)] = 100
    """Training examples that say which weights matter, and how the output's mean is put back."""


def _apply(data: bytes, settings: Settings, material: Material) -> bytes:
    from components.common.lite.snapping import snap_weights

    return snap_weights(data, material.examples(settings.examples), bits=settings.bits)


STEP = FileStep(
    kind="snap",
    Settings=Settings,
    label=lambda settings: f"snap{settings.bits}",
    words=lambda settings: f"weights snapped to {settings.bits} bits",
    apply=_apply,
    idle_under=frozenset({"float32", "float16", "int8_weights", "int4"}),
    lossy=True,
)
