"""What every document is: frozen JSON at the root of an artifact, under its own digest.

A document is frozen, refuses unknown fields, and names the version of its schema. It
holds nothing that differs between two computations of the same thing (no times, no
paths, no run ids), so that its bytes can enter a content digest. What differs is in the
record of the task that made it.

The text of a document begins with the digest of the rest of it, so that a flipped bit in a
figure is noticed. That guards against damage, not against malice: whoever writes a file can
write its digest.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from components.common.digests import canonical_json, text_digest
from components.common.errors import DamagedError
from components.common.storage import read_whole_file, write_whole_file


def _check_moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Share = Annotated[float, Field(ge=0.0, le=1.0)]

Moment = Annotated[str, AfterValidator(_check_moment)]
"""ISO 8601 with a time zone."""


class Part(BaseModel):
    """A piece of a document."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,  # Every task imports all documents, and uses a few.
    )


class Document(Part):
    """A document, and how it lies in an artifact's directory."""

    file_name: ClassVar[str]

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads the document of a directory.

        Raises:
          FileNotFoundError: it has none.
          DamagedError: it is not as `write` wrote it.
        """
        path = directory / cls.file_name
        return cls.parse(read_whole_file(path), name=str(path))

    @classmethod
    def parse(cls, data: bytes, *, name: str = "") -> Self:
        """Returns the document that a text of `to_json` holds.

        Args:
          data: the text; a line end may follow.
          name: of the file, for the message.

        Raises:
          DamagedError: it is no such text, or an older or newer litesmith wrote it.
        """
        name = name or cls.file_name
        seal = _SEAL.match(data)
        body = b"{" + data[seal.end() :].removesuffix(b"\n") if seal else b""
        if seal is None or hashlib.sha256(body).hexdigest().encode() != seal[1]:
            raise DamagedError(f"{name}: {_explain_damage(data)}")
        try:
            if _ENDLESS_NUMBER.search(body):
                raise ValueError("a number of hundreds of digits")
            document = cls.model_validate_json(body)
            canonical_json(document.model_dump())  # Refuses what no JSON has, such as infinity.
        except (ValidationError, ValueError) as error:
            # Its digest is right: nothing was damaged on the way.
            other = f"is of an older litesmith, or of none ({_first_line(error)}); {_REMEDY}"
            raise DamagedError(f"{name}: {_explain_version(body) or other}") from error
        return document

    def write(self, directory: Path) -> None:
        write_whole_file(directory / self.file_name, self.to_json().encode() + b"\n")

    def to_json(self) -> str:
        """Returns the canonical JSON, its own digest ahead of the other fields."""
        text = canonical_json(self.model_dump(mode="json"))
        return f'{{"digest":"{text_digest(text)}",{text[1:]}'


_FORMAT = 1
"""The version of all documents' schema."""

_SEAL = re.compile(rb'\{"digest":"([0-9a-f]{64})",')

_ENDLESS_NUMBER = re.compile(rb"[:,\[]-?\d{400}")
"""Takes the square of its length to be read, and can't be written again."""

_REMEDY = "move it away, and run again where its content is still wanted"


def _explain_damage(data: bytes) -> str:
    if not data.strip(b"\0 \n"):
        return f"is empty; {_REMEDY}"
    return _explain_version(data) or f"is damaged, or cut, or of an older litesmith; {_REMEDY}"


def _explain_version(data: bytes) -> str:
    """Says that a newer litesmith wrote a text, where it says so itself."""
    try:
        version = json.loads(data[:_LOOKED_AT])["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(version, int) or version <= _FORMAT:
        return ""
    return (
        f"was written by a newer litesmith (format {version}, this one reads {_FORMAT}); update "
        "litesmith"
    )


_LOOKED_AT = 1 << 20
"""Bytes of a text that is not understood."""


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error).partition("\n")[0]


class Lineage(Part):
    """What an artifact was made from: digests, so that it can be traced and compared."""

    stage: str
    key: str
    """The key of the computation: config, code and inputs."""
    inputs: Mapping[str, str]
    """Input name -> content digest."""
