"""What a file step is."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileStep:
    """A `.tflite` file in, a `.tflite` file out.

    Attributes:
      kind: its name in a recipe.
      words: what it did, for people.
      apply: the step itself. It imports what it works with when it is called, for a recipe
        names steps where neither TensorFlow nor LiteRT is installed.
    """

    kind: str
    words: str
    apply: Callable[[bytes], bytes]
