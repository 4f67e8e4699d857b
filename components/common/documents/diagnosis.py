"""What is wrong with a candidate, what was tried against it, and what that came to."""

from collections.abc import Mapping
from typing import Literal

from components.common.documents.base import Part

Cause = Literal[
    "other_weights",
    "unfolded_norm",
    "saturation",
    "outliers",
    "coarse_steps",
    "weights",
    "accumulation",
]
"""Why a layer of a `.tflite` file departs from the model's:

| cause         | what is seen                                                               |
|---------------|----------------------------------------------------------------------------|
| other_weights | it computes in floating point, and something else                          |
| unfolded_norm | the BatchNorm behind it is computed on its own, so that its raw output is  |
|               | quantized too                                                              |
| saturation    | values lie outside of the range that calibration saw                       |
| outliers      | one channel's range is far above that of the rest, which share its steps   |
| coarse_steps  | the range is wide for how little the values vary                           |
| weights       | single weights are far above the rest that share their scale               |
| accumulation  | no layer stands out; the noise of all adds up                              |
"""


CAUSES: Mapping[Cause, str] = {
    "other_weights": "it has other weights",
    "unfolded_norm": "a BatchNorm was not folded",
    "saturation": "saturation, for its calibration was not representative",
    "outliers": "an outlier blows up its range",
    "coarse_steps": "its steps are too coarse",
    "weights": "its weights round badly",
    "accumulation": "noise that adds up",
}
"""In words."""


class LayerNoise(Part):
    """How far a layer's output in a `.tflite` file is from the model's."""

    layer: str
    operator: str
    """What computes it in the file."""
    drift_db: float
    """Signal to noise ratio, with all that came from the layers before."""
    own_db: float
    """Of the layer alone, on the inputs that it has in the file."""
    clipped: float
    """Share of the values that the layer would give and its type can't hold."""


class Finding(Part):
    """Where a file and its model part, and why."""

    layer: str
    """The first layer whose own noise is great; the noisiest where none stands out."""
    cause: Cause
    evidence: tuple[str, ...]
    """What was seen there, in sentences without a full stop."""
    own_db: float
    """The layer's own signal to noise ratio."""
    in_float: tuple[str, ...] = ()
    """Layers that compute in floating point where most compute in integers."""
    to_spare: tuple[str, ...] = ()
    """The layers that must compute in floating point for the layer's output to be kept in it: the
    layer, and those that read it."""


class Tally(Part):
    """A file against its model, on the same validation examples."""

    examples: int
    lost: int
    """Answers that the model has right and the file wrong."""
    won: int
    """The other way round."""

    @property
    def drop(self) -> float:
        """The loss of accuracy as a share of the examples."""
        return (self.lost - self.won) / self.examples


class RemedyTried(Part):
    """What was tried, and what it came to."""

    remedy: str
    """In words: `calibrated on 800 examples`."""
    tally: Tally | None
    """None where it could not be applied."""
    failure: str | None = None
    """Why, in a sentence."""


class Diagnosis(Part):
    """Why a candidate lost more than it may, and what was done about it."""

    before: Tally
    """Of the candidate as it was made at first."""
    allowed_drop: float
    finding: Finding
    remedies: tuple[RemedyTried, ...]
    """In the order in which they were tried."""
    kept: str | None
    """The remedy of the file that is handed on; None where none is better."""
    words: str
    """All of this for people, in whole sentences."""
