"""Compression steps: each makes from a trained model another one, whose graph it describes.

A step is a module with frozen `Settings`, which a recipe states, and `apply`, which trains. Before
it is applied, it loads neither TensorFlow nor anything that does, because recipes are also read
where these are missing. One line of STEPS registers it.
"""

from collections.abc import Mapping

from components.compress.steps import channels, distil, length, prune, qat, vocabulary
from components.compress.steps.step import Step

STEPS: Mapping[str, Step] = {
    "prune": prune,
    "channels": channels,
    "distil": distil,
    "length": length,
    "vocabulary": vocabulary,
    "qat": qat,
}
"""A step's kind -> the step."""
