"""What users state, in sections: frozen, strict, and refused where a key is unknown.

Strict means that a value is of the type that it is written in: `flip: "yes"` is no boolean and
`epochs: "3"` no number. A stage's section also has one canonical text.
"""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from components.common.digests import canonical_json


class Section(BaseModel):
    """A group of values in a recipe, a target or a file of schedules."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class StageConfig(Section):
    """A stage's part of the recipe.

    Attributes:
      locations: names of fields that say where something is found, not what is computed.
        They are left out of the identity; the stage puts the content behind them into
        its key instead.
      filled_in: names of fields that the recipe fills in, which no user states.
    """

    locations: ClassVar[frozenset[str]] = frozenset()
    filled_in: ClassVar[frozenset[str]] = frozenset()

    def to_json(self) -> str:
        """Returns the canonical JSON that passes through KFP as a string parameter."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls.model_validate_json(text)

    def identity(self) -> dict[str, Any]:
        """Returns what enters the key: every field but the locations."""
        return self.model_dump(mode="json", exclude=set(self.locations))
