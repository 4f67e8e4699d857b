"""What a network wants of a pixel."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalization:
    """What the network wants of a pixel: `(pixel - mean) / std`."""

    mean: float = 0.0
    std: float = 1.0


AS_IT_IS = Normalization()
"""Models of litesmith do what they need inside."""
