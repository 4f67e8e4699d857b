"""What a quantization scheme is."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from components.common.config import Section
from components.common.documents.candidate import SchemeSpec
from components.common.documents.dataset import TaskName

Backend = Literal["tflite_converter", "litert_quantizer"]
"""What converts: a module of components.quantize.backends."""


class ConversionError(Exception):
    """A model cannot be made by a scheme; the message says why, in a sentence or two."""


class Settings(Section):
    """What a recipe states of a scheme; of most of them nothing."""


def tell_nothing(tool: Any, settings: Any, examples: Any) -> None:
    """Leaves the back end's tool as it is."""


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
      backend: what converts.
      Settings: what a recipe states of it, as `{<kind>: {<setting>: ...}}`.
      section: which values of the recipe's `quantize` section it depends on.
      tell: given the back end's tool, the Settings and a Calibration (None where
        the scheme does not calibrate), sets the tool up.
      check: raises ConversionError where the file is not what the scheme promises.
      is_integer: whether the file takes what a device has as it is, in integers.
      refused_by: task -> why none of its models can be converted so.
    """

    kind: str
    words: str
    backend: Backend = "tflite_converter"
    Settings: type[Section] = Settings
    section: tuple[str, ...] = ()
    tell: Callable[[Any, Any, Any], None] = tell_nothing
    check: Callable[[bytes], None] = accept
    is_integer: bool = False
    refused_by: Mapping[TaskName, str] = dataclasses.field(default_factory=dict)

    def specify(
        self, section: Mapping[str, Any], stated: Mapping[str, Any] | None = None
    ) -> SchemeSpec:
        """Returns what a candidate is keyed by and records.

        Args:
          section: the values of the recipe's `quantize` section.
          stated: what the recipe states of this scheme; nothing where it only names it.

        Raises:
          ValidationError: the scheme has no such setting, or needs one that is not stated.
        """
        own = self.Settings.model_validate(stated or {}, strict=False)
        settings = {name: section[name] for name in self.section} | own.model_dump(mode="json")
        return SchemeSpec(kind=self.kind, backend=self.backend, settings=settings)

    def settings_in(self, spec: Mapping[str, Any]) -> Section:
        """Returns the scheme's Settings out of the settings of a SchemeSpec."""
        own = {name: value for name, value in spec.items() if name not in self.section}
        return self.Settings.model_validate(own, strict=False)

    def describe(self, spec: Mapping[str, Any]) -> str:
        """Returns what becomes of a model, for people, with what a recipe states of the scheme.

        Args:
          spec: the settings of a SchemeSpec.
        """
        stated = self.settings_in(spec).model_dump(mode="json", exclude_defaults=True)
        told = (
            f"{name} {', '.join(value) if isinstance(value, list) else value}"
            for name, value in stated.items()
        )
        return " ".join([self.words, *(f"({text})" for text in told)])
