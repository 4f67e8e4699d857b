"""What documents say of texts: how they lie in the examples, and what is counted of them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.common.documents.base import Part, Share


class KeptTokens(Part):
    """The tokens of a data set that a model still knows, where it knows fewer."""

    tokens: tuple[str, ...]
    """By the ids that the model knows them by."""
    ids: tuple[int, ...]
    """Those that the data set's vocabulary gives the same tokens, ascending."""


class TextSpec(Part):
    """How texts lie in the examples: as token ids, padded and cut to one length."""

    task: Literal["text"] = "text"
    length: Annotated[int, Field(ge=2, le=8192)]
    """Tokens of an example, the special ones among them."""
    vocabulary_size: Annotated[int, Field(ge=1, le=1_000_000)]
    vocabulary_sha256: str
    """Of the `vocab.txt` that makes texts into token ids; the one that lies beside the manifest,
    unless `kept` says otherwise."""
    kept: Annotated[KeptTokens | None, Field(exclude_if=lambda kept: kept is None)] = None
    """A model's own vocabulary; without it, the data set's."""

    @model_validator(mode="after")
    def _knows_what_is_kept(self) -> Self:
        if self.kept is not None:
            sizes = len(self.kept.tokens), len(self.kept.ids)
            if sizes != (self.vocabulary_size, self.vocabulary_size):
                raise ValueError(f"{sizes} tokens and ids are kept, not {self.vocabulary_size}")
        return self


class TextStatistics(Part):
    """Over the training split; the lengths are those before texts are cut."""

    task: Literal["text"] = "text"
    lengths: tuple[int, ...] = ()
    """How many texts have so many tokens: in bins of 16, the last one open."""
    cut: Share = 0.0
    """Of the texts, how many had more tokens than an example."""
    unknown: Share = 0.0
    """Of the tokens, how many the vocabulary lacks."""
