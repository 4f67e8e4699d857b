"""What documents say of pictures: how they lie in the examples, and what a model makes of them."""

from typing import Literal

from components.common.documents.base import Part

Fit = Literal["crop", "pad", "stretch"]


class ImageSpec(Part):
    """How pictures lie in the examples."""

    task: Literal["image"] = "image"
    height: int
    width: int
    channels: Literal[1, 3]
    encoding: Literal["jpeg", "png"]
    fit: Fit
    """How a picture that is not square became one."""
    background: str
    """What shows behind transparent pixels and around padded pictures, such as `#ffffff`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


class InputSpec(Part):
    """What the Keras model expects: `(pixel - offset) * scale`, pixel in [0, 255]."""

    task: Literal["image"] = "image"
    height: int
    width: int
    channels: Literal[1, 3]
    offset: tuple[float, ...]
    """Per channel, in intensities."""
    scale: tuple[float, ...]
    """Per channel."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


class PixelStatistics(Part):
    """Over the training split, after resizing; intensities in [0, 255]."""

    task: Literal["image"] = "image"
    mean: tuple[float, ...]
    """Per channel."""
    std: tuple[float, ...]
    """Per channel."""
    histogram: tuple[float, ...]
    """Share of intensities (all channels) in each of 32 bins of width 8."""
    not_square: int = 0
    """How many examples of all splits were not about as high as wide before they were fitted."""
