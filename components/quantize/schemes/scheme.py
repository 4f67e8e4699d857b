"""What a quantization scheme is."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from components.common.documents.candidate import SchemeSpec

BACKEND = "tflite_converter"
"""What converts by every scheme: TensorFlow's converter, in components.quantize.conversion."""


class ConversionError(Exception):
    """A model cannot be made by a scheme; the message says why, in a sentence or two."""


def tell_nothing(converter: Any, examples: Any) -> None:
    """Leaves the converter as it is."""


def accept(data: bytes) -> None:
    """Finds nothing to object to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a model's numbers are kept in a `.tflite` file.

    Functions import what they work with when they are called, for a recipe names schemes where
    neither TensorFlow nor LiteRT is installed.

    Attributes:
      kind: its name in a recipe.
      words: what becomes of the model, for people.
      settings: which values of the recipe's `quantize` section it depends on.
      tell: sets the converter up; examples to calibrate on are given where it calibrates.
      check: raises ConversionError where the file is not what the scheme promises.
    """

    kind: str
    words: str
    settings: tuple[str, ...] = ()
    tell: Callable[[Any, Any], None] = tell_nothing
    check: Callable[[bytes], None] = accept

    def specify(self, section: Mapping[str, Any]) -> SchemeSpec:
        """Returns what a candidate is keyed by and records, of the values of a recipe's section."""
        settings = {name: section[name] for name in self.settings}
        return SchemeSpec(kind=self.kind, backend=BACKEND, settings=settings)
