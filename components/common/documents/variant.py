"""A variant of a run's model, as the recipe declares it.

Variants are a tree. Its root, DENSE, is the model that finetune trains; each other one is its
parent after compression steps. A candidate is a variant under a quantization scheme. Ids are
names: they are looked up, and nothing is read out of them.
"""

from collections.abc import Mapping
from typing import Any, Self

from components.common.config import Choice
from components.common.documents.base import Part

DENSE = "dense"
"""The root of every tree: the fine-tuned model, whose variant has no steps."""


class StepSpec(Part):
    """A compression step on a model or on its file, and what it is told."""

    kind: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, choice: Choice) -> Self:
        return cls(kind=choice.kind, settings=choice.settings.model_dump(mode="json"))


class Variant(Part):
    id: str
    parent: str | None
    """None for the root alone."""
    steps: tuple[StepSpec, ...] = ()
    """What is done to the parent, in order."""
