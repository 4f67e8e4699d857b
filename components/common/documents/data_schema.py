"""A schema of data: what a data set may hold, as people write it down, and a recipe names it.

`data inspect --schema` infers one. What it doesn't state isn't asked of the data. Which values and
ranges there are, the task says (`tasks/sources.py`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from components.common.config import Section, schema_with_short_form


class Range(Section):
    """From the least number that is allowed to the greatest, both included."""

    least: int | float
    most: int | float

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least is {self.least:.10g}, and must be at most {self.most:.10g}")
        return self

    def __str__(self) -> str:
        return f"{{least: {self.least:.10g}, most: {self.most:.10g}}}"


class DataSchema(Section):
    """What a data set may hold; what isn't stated isn't asked."""

    classes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The names of all classes: none may be missing, and there may be no other."""
    values: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """What an example may be, in words. Of pictures `format`, and `mode`, which is Pillow's name of
    their channels: L is grey, RGB colour, RGBA has transparency. Of texts `script`, that of most of
    their letters."""
    ranges: Mapping[str, Range] = {}
    """How far numbers may reach. Of pictures width and height in pixels, aspect (width by height),
    and brightness, contrast and range in intensities of 255; of texts characters, and unknown, the
    share of their tokens that the vocabulary lacks."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        path = {"type": "string", "description": "The path of its file."}
        return schema_with_short_form(handler, core_schema, path)
