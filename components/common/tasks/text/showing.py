"""Texts as a report shows them."""

from components.common.documents.text import TextSpec, TextStatistics
from components.common.tasks.text.features import Example
from components.common.tasks.told import DataTold, Histogram, Shown
from components.common.words.figures import percent

_BIN = 16
_LARGE, _SMALL = 500, 80
"""Characters of a text that are shown."""


def tell_data(spec: TextSpec, statistics: TextStatistics) -> DataTold:
    """Returns what there is to tell of a data set's texts."""
    counts = statistics.lengths or (0,)
    texts = max(1, sum(counts))
    remark = (
        f"{percent(statistics.cut)} of the training texts are longer and are cut; "
        f"{percent(statistics.unknown)} of their tokens are unknown to the vocabulary."
    )
    return DataTold(
        noun="text",
        described=f"texts of {spec.length} tokens, out of a vocabulary of {spec.vocabulary_size:,}",
        remark=remark,
        counted="Tokens",
        histogram=Histogram(
            "Texts by length in tokens",
            [count / texts for count in counts],
            _BIN * len(counts),
            [_BIN * number for number in range(0, len(counts), max(1, len(counts) // 4))],
        ),
        figures=(
            ("Share of texts that are cut", (statistics.cut,)),
            ("of tokens that are unknown", (statistics.unknown,)),
        ),
    )


def show_example(example: Example, spec: TextSpec, *, large: bool) -> Shown:
    """Returns a text's words, as many as have room."""
    room = _LARGE if large else _SMALL
    words = " ".join(example.text.split())
    return Shown(text=words if len(words) <= room else f"{words[: room - 1]}…")
