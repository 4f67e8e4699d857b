"""What can be wrong with the texts themselves, and with how a model will see them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from components.common.documents.dataset import DatasetManifest
from components.common.documents.oddities import Oddities
from components.common.documents.rejects import Note
from components.common.documents.text import TextSpec, TextStatistics
from components.common.words.figures import counted, percent, shown

_SHARE_CUT = 0.05
_SHARE_UNKNOWN = 0.05
"""A device keeps accents, and knows few tokens that have some: English texts are far below."""


def odd_examples(
    manifest: DatasetManifest, notes: Sequence[Note], oddities: Oddities
) -> Mapping[str, Callable[[], Iterable[str]]]:
    """Returns the checks of texts: name -> find."""
    spec, statistics = _of(manifest)
    return {
        "same_tokens": lambda: find_equal_tokens(notes),
        "cut_texts": lambda: find_cut_texts(spec, statistics),
        "unknown_tokens": lambda: find_unknown_tokens(statistics, oddities),
        "outliers": lambda: find_outliers(oddities),
    }


def find_equal_tokens(notes: Iterable[Note]) -> Iterator[str]:
    """Yields a message where texts of the same tokens have different labels."""
    if found := [note for note in notes if note.kind == "same_tokens"]:
        count = counted(len(found), "text has", "texts have")
        yield (
            f"{count} the same tokens as one of another class, and no model can "
            f"tell them apart: {shown([f'{note.path} ({note.detail})' for note in found])}. Remove "
            "those with the wrong label; a greater data.text.length keeps apart what differs later"
        )


def find_cut_texts(spec: TextSpec, statistics: TextStatistics) -> Iterator[str]:
    """Yields a message where a model sees only the beginning of many texts."""
    if statistics.cut > _SHARE_CUT:
        yield (
            f"{percent(statistics.cut)} of the training texts have more than {spec.length} tokens, "
            "and the model sees their beginning alone; state a greater data.text.length, or auto"
        )


def find_unknown_tokens(statistics: TextStatistics, oddities: Oddities) -> Iterator[str]:
    """Yields messages where the vocabulary lacks much of what texts are made of."""
    if found := oddities.kinds.get("mostly_unknown"):
        count = counted(found.examples, "text is", "texts are")
        yield (
            f"{count} mostly [UNK], words that the encoder's vocabulary "
            f"lacks: {found.named()}. A model can't tell such texts apart"
        )
    if statistics.unknown > _SHARE_UNKNOWN:
        yield (
            f"{percent(statistics.unknown)} of the tokens are [UNK]: the encoder's vocabulary "
            "lacks these words. A device keeps accents and turns ASCII letters alone to lower "
            "case; give a train.encoder for the texts' language"
        )


def find_outliers(oddities: Oddities) -> Iterator[str]:
    """Yields a message where texts have another length than most."""
    if found := oddities.kinds.get("odd_length"):
        count = counted(found.examples, "text is", "texts are")
        yield (
            f"{count} much longer or shorter than most: {found.named()}. "
            "Look whether they are what they are labelled, and whether a device will see such"
        )


def _of(manifest: DatasetManifest) -> tuple[TextSpec, TextStatistics]:
    assert isinstance(manifest.spec, TextSpec)
    assert isinstance(manifest.statistics, TextStatistics)
    return manifest.spec, manifest.statistics
