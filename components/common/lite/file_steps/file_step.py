"""What a file step is, and what it may look at besides the file."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from components.common.config import Section

if TYPE_CHECKING:
    import numpy.typing as npt


class Material(Protocol):
    """What a step may learn from, read when it is asked for."""

    def examples(self, count: int) -> "npt.NDArray[Any]":
        """Returns up to `count` examples to learn from, [n, ...], as a device feeds them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileStep:
    """A `.tflite` file in, a `.tflite` file out.

    Functions import what they work with when they are called, for a recipe names steps where
    neither TensorFlow nor LiteRT nor NumPy is installed.

    Attributes:
      kind: its name in a recipe.
      Settings: what a recipe states of it.
      label: names the step under its settings, in the id of a candidate.
      words: says what it did under its settings, for people.
      apply: the step itself: the file, the settings, and the material.
      idle_under: the kinds of schemes whose files hold nothing for it to work on.
      lossy: whether it gives accuracy away for bytes, so that a loss is no fault to look for.
    """

    kind: str
    Settings: type[Section]
    label: Callable[[Any], str]
    words: Callable[[Any], str]
    apply: Callable[[bytes, Any, Material], bytes]
    idle_under: frozenset[str] = frozenset()
    lossy: bool = False
