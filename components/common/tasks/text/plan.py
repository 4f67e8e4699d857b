"""What every text becomes: plain values, which travel to workers and name shards."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from components.common.tasks.text.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class TextPlan:
    """A text becomes so many tokens of a vocabulary."""

    task: ClassVar[Literal["text"]] = "text"

    length: int
    """Of an example."""
    vocabulary: Vocabulary

    def named_by(self) -> Mapping[str, Any]:
        return {
            "length": self.length,
            "vocabulary_size": len(self.vocabulary.tokens),
            "vocabulary_sha256": self.vocabulary.sha256,
        }
