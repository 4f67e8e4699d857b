"""What a manifest says of texts that were made by a plan; see `tasks/describing.py`."""

from collections.abc import Mapping

from components.common.documents.text import TextSpec, TextStatistics
from components.common.tasks.made import Counts
from components.common.tasks.text.plan import TextPlan
from components.common.tasks.text.vocabulary import VOCABULARY_FILE


def spec_of(plan: TextPlan) -> TextSpec:
    """Returns how texts lie in the examples."""
    return TextSpec.model_validate(plan.named_by())


def files_of(plan: TextPlan) -> Mapping[str, bytes]:
    """Returns the vocabulary, which makes texts into tokens."""
    return {VOCABULARY_FILE: plan.vocabulary.to_bytes()}


def describe(plan: TextPlan, training: Counts, everything: Counts) -> TextStatistics:
    """Returns what the training split's texts are, taken together."""
    if not training:
        return TextStatistics()
    (texts,), (cut,) = training["texts"], training["cut"]
    (tokens,), (unknown,) = training["tokens"], training["unknown"]
    return TextStatistics(
        lengths=tuple(training["lengths"]),
        cut=cut / max(1, texts),
        unknown=unknown / max(1, tokens),
    )
