"""What a file step is."""

import dataclasses
from collections.abc import Callable
from typing import Any

from components.common.config import Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileStep:
    """A `.tflite` file in, a `.tflite` file out.

    Attributes:
      kind: its name in a recipe.
      Settings: what a recipe states of it.
      label: names it under its settings, in a candidate's id.
      words: what it did, for people.
      apply: the step itself. It imports what it works with when it is called, for a recipe
        names steps where neither TensorFlow nor LiteRT is installed.
    """

    kind: str
    Settings: type[Section]
    label: Callable[[Any], str]
    words: str
    apply: Callable[[bytes], bytes]
