"""Compression steps: each one makes of a trained model another with the same graph.

A step is a module with frozen `Settings`, which a recipe states, and `apply`, which trains. It
loads neither TensorFlow nor anything that does before it is applied, for a recipe is also read
where these are missing. It is registered by one line of STEPS.
"""

from collections.abc import Mapping

from components.compress.steps import prune
from components.compress.steps.step import Step

STEPS: Mapping[str, Step] = {"prune": prune}
"""A step's kind -> the step."""
