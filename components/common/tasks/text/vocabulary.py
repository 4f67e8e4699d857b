"""The tokens that an encoder knows: one a line of `vocab.txt`, and its id the line's number."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

from components.common.documents.text import TextSpec
from components.common.errors import UserError

VOCABULARY_FILE = "vocab.txt"

UNKNOWN = "[UNK]"
CLASSIFY = "[CLS]"
SEPARATE = "[SEP]"
PAD_ID = 0
"""A device fills the end of an example with this id, whichever token has it."""

MOST_BYTES = 16 << 20
_MARKS = (UNKNOWN, CLASSIFY, SEPARATE)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Distinct tokens, by id."""

    tokens: tuple[str, ...]

    @functools.cached_property
    def ids(self) -> Mapping[str, int]:
        return {token: id_ for id_, token in enumerate(self.tokens)}

    def to_bytes(self) -> bytes:
        """Returns the content of `vocab.txt`."""
        return "".join(f"{token}\n" for token in self.tokens).encode()

    @functools.cached_property
    def sha256(self) -> str:
        """The digest of `vocab.txt`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def read_vocabulary(spec: TextSpec, dataset: Path) -> Vocabulary:
    """Returns the vocabulary by which texts are read.

    Args:
      spec: how they are read.
      dataset: the folder of the data set's manifest.
    """
    if spec.kept is not None:
        return Vocabulary(spec.kept.tokens)
    path = dataset / VOCABULARY_FILE
    return parse_vocabulary(path.read_bytes(), source=str(path))


def parse_vocabulary(data: bytes, *, source: str) -> Vocabulary:
    """Reads the content of a `vocab.txt`.

    Args:
      data: one token a line, in UTF-8.
      source: the file, as messages name it.

    Raises:
      UserError: it is no such file, a token stands twice, or one is missing that every text needs.
    """
    if len(data) > MOST_BYTES:
        raise UserError(f"{source}: a vocabulary of up to {MOST_BYTES:,} bytes is read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: is not UTF-8 text: {error}") from error
    # Not splitlines: tokens may hold what other alphabets part lines with.
    tokens = tuple(line.removesuffix("\r") for line in text.rstrip("\n").split("\n"))
    first_line: dict[str, int] = {}
    for line, token in enumerate(tokens, start=1):
        if not token:
            raise UserError(
                f"{source}, line {line}: is empty; a device skips such a line, and every token "
                "after it gets another id"
            )
        if token in first_line:
            raise UserError(
                f"{source}, line {line}: the token {token!r} stands on line {first_line[token]}, "
                "too; expected each once"
            )
        first_line[token] = line
    for mark in _MARKS:
        if mark not in first_line:
            raise UserError(
                f"{source}: there is no {mark}; expected the vocabulary of a BERT encoder, which "
                f"has {', '.join(_MARKS)}"
            )
    return Vocabulary(tokens)
