"""How pictures are changed while a model trains."""

from typing import Annotated

from pydantic import Field

from components.common.config import Section


class Augment(Section):
    """Random changes of a training picture; 0 or false leaves one out."""

    flip: bool = False
    """Left to right. False where a mirror makes another class of a picture, or none: left and
    right, b and d, digits, writing, signs with arrows."""
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Largest translation, as a share of the width."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of scale: 0.2 zooms by factors in [0.8, 1.2]."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    saturation: Annotated[float, Field(ge=0, lt=1)] = 0.0
