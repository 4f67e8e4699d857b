"""What a bundle says of a text classifier's graph: an encoder's sizes, and the head on it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.common.documents.base import Part

Pooling = Literal["mean", "first"]
"""How a text's vector is made of its tokens': their mean, or that of the first one, [CLS]."""

Activation = Literal["gelu", "gelu_tanh", "relu"]
"""Between a block's two dense layers: GELU is exact, or with tanh for the error function."""


class EncoderSpec(Part):
    """The sizes of a BERT-like encoder: what its graph is built from, whatever texts it takes.

    The bounds are far above any model that a phone could run. They keep a file of others from
    asking for more memory than there is.
    """

    embedding: Annotated[int, Field(ge=1, le=4096)]
    """Of a token, before it is projected to `hidden` where the two differ."""
    hidden: Annotated[int, Field(ge=1, le=4096)]
    layers: Annotated[int, Field(ge=1, le=64)]
    heads: Annotated[int, Field(ge=1, le=128)]
    intermediate: Annotated[int, Field(ge=1, le=16384)]
    segments: Annotated[int, Field(ge=0, le=16)]
    """How many kinds of segments it tells apart; 0 where it has no table of them."""
    activation: Activation = "gelu"
    epsilon: Annotated[float, Field(gt=0, le=1e-2)] = 1e-12
    """Added to the variance in every layer normalization."""

    @model_validator(mode="after")
    def _heads_share_hidden(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads do not share {self.hidden} hidden units evenly")
        return self


class TextArchitecture(Part):
    """What a text classifier's graph is built from, beside its input and its classes."""

    task: Literal["text"] = "text"
    encoder: EncoderSpec
    pooling: Pooling = "mean"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout_seed: int = 0
    length: Annotated[
        int | None, Field(ge=2, le=8192, exclude_if=lambda length: length is None)
    ] = None
    """How many tokens of a text the encoder sees; without it, all that an example has."""

    @property
    def name(self) -> str:
        """Returns such as `bert-6x384`: layers by units."""
        return f"bert-{self.encoder.layers}x{self.encoder.hidden}"
