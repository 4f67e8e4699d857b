"""What users state, in sections: frozen, strict, and refused where a key is unknown.

Strict means that a value is of the type that it is written in: `flip: "yes"` is no boolean and
`epochs: "3"` no number. A stage's section also has one canonical text. One of several registered
kinds, with what it is told, is a Choice.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from components.common.digests import canonical_json

Severity = Literal["ignore", "warn", "stop"]
"""What is done about a finding."""


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


class Choice(Section):
    """One of several kinds, and what it is told: `{snap: {bits: 4}}`, or its name alone: `share`.

    `choice_of` makes classes of it, whose fields are the kinds: one of them is given.
    """

    @property
    def kind(self) -> str:
        (kind,) = self.model_fields_set
        return kind

    @property
    def settings(self) -> Section:
        return getattr(self, self.kind)  # type: ignore[no-any-return]

    def told(self, settings: Section) -> Self:
        """Returns the same kind, told something else."""
        return self.model_copy(update={self.kind: settings})

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return _with_tuples(value)
        if value not in cls.model_fields:
            raise ValueError(f"must be one of {', '.join(cls.model_fields)}")
        return {value: {}}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = sorted(self.model_fields_set)
        if len(given) != 1:
            raise ValueError(
                f"must name one of {', '.join(type(self).model_fields)}"
                + (f", but names {', '.join(given)}: make an entry of each" if given else "")
            )
        return self

    @model_serializer(mode="wrap")
    def _as_stated(self, dump: SerializerFunctionWrapHandler) -> Any:
        """Returns the name alone where nothing else is said."""
        settings = dump(self)[self.kind]
        said = any(value is not None for value in settings.values())
        return {self.kind: settings} if said else self.kind

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        reference = schema_with_short_form(handler, core_schema, {"enum": list(cls.model_fields)})
        *_, stated = handler.resolve_ref_schema(reference)["anyOf"]
        stated |= {"minProperties": 1, "maxProperties": 1}
        for settings in stated.get("properties", {}).values():
            settings.pop("default", None)
        return reference


def schema_with_short_form(
    handler: GetJsonSchemaHandler, core_schema: CoreSchema, short: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the JSON Schema of a section that may be stated in a shorter form.

    Args:
      handler: Pydantic's, and
      core_schema: the section's, as `__get_pydantic_json_schema__` is given them.
      short: the JSON Schema of the shorter form; the whole one comes after it, in `anyOf`.
    """
    reference = handler(core_schema)
    schema = handler.resolve_ref_schema(reference)
    stated = dict(schema)
    schema.clear()
    schema["description"] = stated.pop("description", "")
    schema["anyOf"] = [short, stated]
    return reference


def _with_tuples(value: Any) -> Any:
    """Returns a value with tuples for lists.

    Pydantic takes a list for a tuple where it reads JSON, but no longer where a validator of ours
    has had the value first.
    """
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def choice_of(name: str, kinds: Mapping[str, type[Section]]) -> type[Choice]:
    """Returns the class of choices among registered kinds, each with what it is told."""
    fields: dict[str, Any] = {
        kind: (settings, Field(default=None)) for kind, settings in kinds.items()
    }
    return extend_section(name, Choice, fields)


SectionType = TypeVar("SectionType", bound=Section)


def extend_section(
    name: str, base: type[SectionType], fields: Mapping[str, Any]
) -> type[SectionType]:
    """Returns the class of a section with more fields, each its type and its Field."""
    # There is no source to look for docstrings in. Pydantic would look in every frame of the
    # stack: half a second of each command's start, and more the more modules are loaded.
    without_source = {"use_attribute_docstrings": False}
    return create_model(
        name, __base__=base, __doc__=base.__doc__, __cls_kwargs__=without_source, **fields
    )
