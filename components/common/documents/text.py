"""What documents say of texts: how they lie in the examples, and what is counted of them."""

from typing import Annotated, Literal

from pydantic import Field

from components.common.documents.base import Part, Share


class TextSpec(Part):
    """How texts lie in the examples: as token ids, padded and cut to one length."""

    task: Literal["text"] = "text"
    length: Annotated[int, Field(ge=2, le=8192)]
    """Tokens of an example, the special ones among them."""
    vocabulary_size: Annotated[int, Field(ge=1, le=1_000_000)]
    vocabulary_sha256: str
    """Of the `vocab.txt` that lies beside the manifest: it makes texts into token ids."""


class TextStatistics(Part):
    """Over the training split; the lengths are those before texts are cut."""

    task: Literal["text"] = "text"
    lengths: tuple[int, ...] = ()
    """How many texts have so many tokens: in bins of 16, the last one open."""
    cut: Share = 0.0
    """Of the texts, how many had more tokens than an example."""
    unknown: Share = 0.0
    """Of the tokens, how many the vocabulary lacks."""
